"""Options by their key: "smtp.errors", "listener[2].tls", "trusted_networks"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from attrs import Attribute, field, fields, frozen, resolve_types

from ..errors import ConfigError
from .load import is_list
from .model import Config

_KEY = re.compile(r"(?:([a-z0-9_]+)(?:\[(\d+|\+)\])?\.)?([a-z0-9_]+)")


@frozen
class Key:
    """One option: `section` "" at the top; `number` from 1 for a list of tables, 0 for
    a new table at its end, None for what is no list."""

    section: str
    number: int | None
    name: str
    option: Attribute[Any] = field(repr=False, eq=False)

    @classmethod
    def parse(cls, text: str) -> Key:
        """Raises ConfigError with what is near, if there is no such option."""
        found = _KEY.fullmatch(text)
        if found is None:
            raise ConfigError(f"{text}: a key is like smtp.errors or listener[2].tls")
        section, number, name = found.groups()
        kind, listed = Config, False
        if section:
            holder = _options(Config).get(section)
            if holder is None or "of" not in holder.metadata:
                raise ConfigError(f"{text}: {_unknown(section, _sections())}")
            kind, listed = holder.metadata["of"], is_list(holder)
        if listed and number is None:
            raise ConfigError(
                f"{text}: there may be many; say which: {section}[1].{name}, or "
                f"{section}[+].{name} for a new one"
            )
        if number and not listed:
            raise ConfigError(f"{text}: there is one {section} only: {section}.{name}")
        if number == "0":
            raise ConfigError(f"{text}: the first one is {section}[1]")
        option = _options(kind).get(name)
        if option is None or "of" in option.metadata:
            raise ConfigError(f"{text}: {_unknown(name, _plain(kind))}")
        at = None if number is None else 0 if number == "+" else int(number)
        return cls(section or "", at, name, option)

    def __str__(self) -> str:
        if not self.section:
            return self.name
        number = "" if self.number is None else f"[{self.number or '+'}]"
        return f"{self.section}{number}.{self.name}"


def every_value(config: Config) -> Iterator[tuple[Key, Any]]:
    """(key, value in force) of each option, in the order of the manual."""
    for option in _options(Config).values():
        of, value = option.metadata.get("of"), getattr(config, option.name)
        if of is None:
            yield Key("", None, option.name, option), value
            continue
        tables = enumerate(value, 1) if is_list(option) else [(None, value)]
        for number, table in tables:
            for inner in _options(of).values():
                key = Key(option.name, number, inner.name, inner)
                yield key, getattr(table, inner.name)


def _options(kind: type) -> dict[str, Attribute[Any]]:
    resolve_types(kind)
    return {option.name: option for option in fields(kind)}


def _sections() -> list[str]:
    return [name for name, one in _options(Config).items() if "of" in one.metadata]


def _plain(kind: type) -> list[str]:
    return [name for name, one in _options(kind).items() if "of" not in one.metadata]


def _unknown(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"{word} is not an option; {hint}"
