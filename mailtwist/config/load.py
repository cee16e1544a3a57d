"""A TOML file into `model.Config`: all of it validated before any of it is used.

Every fault names the file, the key, what was found and what is allowed; all faults of a
file are told at once.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

from attrs import Attribute, evolve, fields, resolve_types

from ..address import normal_domain
from ..errors import BadAddress, ConfigError
from . import listener, model, wiring
from .sizes import OCTETS, WITH_UNIT

SECONDS: dict[str, float] = {
    "ms": 0.001,
    "s": 1,
    "sec": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
}
Section = TypeVar("Section")


def load(path: str | os.PathLike[str]) -> model.Config:
    """The configuration in the file `path`; raises ConfigError."""
    where = Path(path)
    try:
        octets = where.read_bytes()
    except OSError as fault:
        raise ConfigError(f"{where}: cannot be read: {fault.strerror}") from fault
    return loads(octets, where)


def loads(octets: bytes, where: Path) -> model.Config:
    """The configuration in `octets`; relative paths start at `where`'s folder."""
    reader = _Reader(where)
    config = reader.read(model.Config, parsed(octets, where), "")
    if config is not None:
        reader.check_whole(config)
    if reader.faults or not isinstance(config, model.Config):
        raise ConfigError("\n".join(f"{where}: {fault}" for fault in reader.faults))
    return config


def parsed(octets: bytes, where: Path) -> dict[str, Any]:
    """The tables of a TOML file; raises ConfigError."""
    try:
        return tomllib.loads(octets.decode())
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{where}: is not UTF-8 at octet {fault.start}") from fault
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{where}: is not TOML: {fault}") from fault


def load_section(kind: type[Section], path: str | os.PathLike[str]) -> Section:
    """A file that holds one section alone and may hold secrets; raises ConfigError.

    Nobody but its owner and group may read it, nobody but its owner write it."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
    return section_in(kind, path, opened)


def section_in(
    kind: type[Section], path: str | os.PathLike[str], opened: int
) -> Section:
    """As load_section, from a descriptor, which is closed."""
    where = Path(path)
    try:
        with os.fdopen(opened, "rb") as file:
            mode = os.fstat(opened).st_mode
            octets = file.read()
    except OSError as fault:
        raise ConfigError(f"{where}: cannot be read: {fault.strerror}") from fault
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigError(f"{where}: readable by others; chmod 600")
    reader = _Reader(where)
    section = reader.read(kind, parsed(octets, where), "")
    if reader.faults or not isinstance(section, kind):
        raise ConfigError("\n".join(f"{where}: {fault}" for fault in reader.faults))
    return section


def read_option(option: Attribute[Any], found: Any, at: str) -> Any:
    """The value of one plain option from a value of TOML; raises ConfigError."""
    reader = _Reader(Path())
    value = reader.value(option, found, at)
    if reader.faults:
        raise ConfigError("\n".join(reader.faults))
    return value


class _Reader:
    """Reads tables into sections and collects what is wrong."""

    def __init__(self, where: Path) -> None:
        self.base = where.absolute().parent
        self.faults: list[str] = []

    def read(self, kind: type, table: Any, at: str) -> Any:
        """A section from its table; None if something in it is wrong."""
        if not isinstance(table, Mapping):
            self.fault(at, table, "a table")
            return None
        resolve_types(kind)
        known = {option.name: option for option in fields(kind)}
        for key in table:
            if key not in known:
                self.unknown(join(at, key), key, known)
        before = len(self.faults)
        values = {
            name: self.value(option, table[name], join(at, name))
            for name, option in known.items()
            if name in table
        }
        for name, option in known.items():
            if name not in table and "of" not in option.metadata and needed(option):
                self.faults.append(f"{join(at, name)} is missing: {told(option)}")
        if len(self.faults) > before:
            return None
        return self.made(kind, values, at)

    def made(self, kind: type, values: dict[str, Any], at: str) -> Any:
        """The section of these values; path defaults are completed too."""
        section = kind(**values)
        places = {
            option.name: self.places(found)
            for option in fields(kind)
            if option.metadata.get("path")
            and (found := getattr(section, option.name))
            and not names_no_path(option, found)
        }
        return evolve(section, **places)

    def places(self, found: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(found, str):
            return self.place(found)
        return tuple(self.place(text) for text in found)

    def place(self, text: str) -> str:
        return os.path.normpath(self.base / text)

    def value(self, option: Attribute[Any], found: Any, at: str) -> Any:
        of = option.metadata.get("of")
        if of is not None and option.default is not None and is_list(option):
            if not isinstance(found, list):
                return self.fault(at, found, f"a list of tables, [[{at}]]")
            return tuple(
                self.read(of, table, f"{at}[{number}]")
                for number, table in enumerate(found, 1)
            )
        if of is not None:
            return self.read(of, found, at)
        try:
            value = self.plain(option, found)
            for check in option.metadata["checks"]:
                check(None, option, value)
        except (ValueError, BadAddress):
            return self.fault(at, found, told(option))
        return value

    def plain(self, option: Attribute[Any], found: Any) -> Any:
        """The value of a plain option; raises ValueError if it is of another kind."""
        if option.metadata.get("networks"):
            if not isinstance(found, list):
                raise ValueError
            return tuple(ip_network(text) for text in texts(found))
        if option.metadata.get("texts"):
            if not isinstance(found, list):
                raise ValueError
            return tuple(texts(found))
        if option.metadata.get("commands"):
            if not isinstance(found, Mapping):
                raise ValueError
            return {name: words(one) for name, one in found.items()}
        if option.metadata.get("number_or_text"):
            return found
        if option.type is bool:
            if not isinstance(found, bool):
                raise ValueError
            return found
        if option.type in (int, float):
            return number(option, found)
        if not isinstance(found, str):
            raise ValueError
        if option.metadata.get("domain") and found:
            return normal_domain(found)
        return found

    def fault(self, at: str, found: Any, allowed: str) -> None:
        shown = f'"{found}"' if isinstance(found, str) else toml(found)
        self.faults.append(f"{at} = {shown} is not allowed: give {allowed}")

    def unknown(self, at: str, key: str, known: Mapping[str, Any]) -> None:
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        self.faults.append(f"{at} is not an option; {hint}")

    def check_whole(self, config: model.Config) -> None:
        """What only several options together can get wrong."""
        seen: list[tuple[Mapping[str, str], int]] = []
        for number, one in enumerate(config.listener, 1):
            at = f"listener[{number}].endpoint"
            try:
                place = listener.place_of(listener.translated(one).endpoint)
            except ValueError as fault:
                self.fault(at, one.endpoint, str(fault))
                continue
            taken = [other for at_place, other in seen if at_place == place]
            if taken:
                self.faults.append(f"{at} is taken by listener[{taken[0]}] already")
            seen.append((place, number))
        names = [domain.name for domain in config.domain]
        self.faults.extend(
            f"domain {name} is given twice"
            for name in sorted({n for n in names if names.count(n) > 1})
        )
        if config.smtp.bare_lf == "normalize" and not config.smtp.bare_lf_networks:
            self.faults.append(
                'smtp.bare_lf = "normalize" needs smtp.bare_lf_networks: '
                "name the networks that may send bare LF"
            )
        self.faults.extend(wiring.faults(config))


def names_no_path(option: Attribute[Any], found: str | tuple[str, ...]) -> bool:
    """True for the words that an option takes beside a path ("stdout")."""
    words = option.metadata.get("words", ())
    return isinstance(found, str) and found.partition(":")[0] in words


def join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def needed(option: Attribute[Any]) -> bool:
    return option.default is not None and repr(option.default) == "NOTHING"


def is_list(option: Attribute[Any]) -> bool:
    return getattr(option.default, "factory", None) is tuple


def texts(found: list[Any]) -> Iterator[str]:
    for text in found:
        if not isinstance(text, str):
            raise ValueError
        yield text


def words(found: Any) -> tuple[str, ...]:
    """Those of a command; raises ValueError."""
    if not isinstance(found, list):
        raise ValueError
    return tuple(texts(found))


def number(option: Attribute[Any], found: Any) -> int | float:
    """A number, or a text of number and unit; raises ValueError."""
    units = units_of(option)
    if isinstance(found, str) and units:
        match = WITH_UNIT.fullmatch(found)
        scale = match and units.get(match[2] if units is SECONDS else match[2].upper())
        if not match or not scale:
            raise ValueError
        found = float(match[1]) * scale
        if option.type is int:
            found = round(found)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError
    if option.type is int and not isinstance(found, int):
        raise ValueError
    return int(found) if option.type is int else float(found)


def units_of(option: Attribute[Any]) -> Mapping[str, float] | None:
    if option.name.endswith("_s"):
        return SECONDS
    if option.name.endswith("_octets"):
        return OCTETS
    return None


def told(option: Attribute[Any]) -> str:
    """What this option may be, in words."""
    words: dict[object, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
    }
    kind = words.get(option.type, "a text")
    if option.metadata.get("networks"):
        kind = 'a list of networks like ["192.0.2.0/24", "2001:db8::/32"]'
    elif option.metadata.get("texts"):
        kind = 'a list of texts like ["one", "two"]'
    elif option.metadata.get("commands"):
        kind = 'a table of commands like { "image/x" = ["program", "option"] }'
    elif option.metadata.get("domain"):
        kind = 'a domain like "example.org"'
    elif units_of(option) is SECONDS:
        kind = 'seconds or a text like "5 min" (ms, s, min, h, d, w)'
    elif units_of(option) is OCTETS:
        kind = 'octets or a text like "25 MiB" (KB, MB, GB, KiB, MiB, GiB)'
    checks = [check.allowed for check in option.metadata["checks"]]
    if checks and kind == "a text":
        return ", ".join(checks)
    return ", ".join([kind, *checks])


def toml(value: Any) -> str:
    """A TOML value as it may be written, for errors and the manual."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
