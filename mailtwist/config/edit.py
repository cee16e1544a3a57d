"""Changes to a configuration file: comments stay, nothing invalid is written.

Before the file is replaced, in one rename, a line is added to the journal beside it:
`FILE.journal`, JSON with time, user, key, old and new value.
"""

from __future__ import annotations

import fcntl
import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tomlkit
from attrs import evolve

from ..errors import ConfigError
from .keys import Key
from .load import loads

_MISSING = object()


def change(
    path: Path, changes: Sequence[tuple[str, str | None]], user: str, now: str
) -> list[Any]:
    """Make all of `changes`, (key, value), or none.

    A value None takes the option out of the file, so that its default counts.  Keys
    with [+] of the same section go into one new table.  `user` and `now` (ISO 8601) are
    for the journal.  Returns the TOML values written.  Raises ConfigError, and then
    nothing changed.
    """
    path = path.resolve()  # a link stays one
    with _locked(path):
        before = _read(path)
        text, written, entries = before.decode(), [], []
        new_tables: dict[str, int] = {}
        for name, value in changes:
            document = tomlkit.parse(text)
            key = Key.parse(name)
            if key.number == 0:
                at = len(document.get(key.section, ())) + 1
                key = evolve(key, number=new_tables.setdefault(key.section, at))
            old = _present(document, key)
            new = None if value is None else read_value(key, value)
            text = _take_out(document, key) if new is None else _put(document, key, new)
            written.append(new)
            entry = {"key": str(key), "old": old, "new": new}
            entries.append({"time": now, "user": user} | entry)
        octets = text.encode()
        loads(octets, path)  # raises ConfigError for what would not start
        if octets != before:
            _journal(path, entries)
            _replace(path, octets)
    return written


def read_value(key: Key, text: str) -> Any:
    """The TOML value a person means by `text` for this option.

    A list may be typed with commas; a text needs no quotes."""
    plain: Any = _MISSING
    with suppress(tomllib.TOMLDecodeError):
        plain = tomllib.loads(f"x = {text}")["x"]
    metadata = key.option.metadata
    if metadata.get("networks") or metadata.get("texts"):
        if isinstance(plain, list):
            return plain
        return [one.strip() for one in text.split(",") if one.strip()]
    if key.option.type is str:
        return plain if isinstance(plain, str) else text
    return text if plain is _MISSING else plain


def _read(path: Path) -> bytes:
    try:
        octets = path.read_bytes()
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
    loads(octets, path)  # what is wrong already is told before it is edited
    return octets


def _holder(document: Any, key: Key) -> Any:
    """The table that has the option, None if it is not in the file."""
    if not key.section:
        return document
    found = document.get(key.section)
    if key.number is None or found is None:
        return found
    return found[key.number - 1] if 0 < key.number <= len(found) else None


def _present(document: Any, key: Key) -> Any:
    holder = _holder(document, key)
    value = None if holder is None else holder.get(key.name)
    return value.unwrap() if value is not None and hasattr(value, "unwrap") else value


def _put(document: Any, key: Key, value: Any) -> str:
    """The file with the option set."""
    holder = _holder(document, key)
    if holder is None:
        holder = _new_table(document, key)
    if holder is not document or key.name in holder:
        holder[key.name] = value
        return tomlkit.dumps(document)
    # In front of the first table and of the comment that belongs to it.
    lines = tomlkit.dumps(document).splitlines(keepends=True)
    at = next((n for n, line in enumerate(lines) if line.startswith("[")), len(lines))
    while at and lines[at - 1].startswith("#"):
        at -= 1
    lines.insert(at, f"{key.name} = {tomlkit.item(value).as_string()}\n")
    return "".join(lines)


def _new_table(document: Any, key: Key) -> Any:
    """A table for a section that is not in the file yet; raises ConfigError."""
    table = tomlkit.table()
    if key.number is None:
        document[key.section] = table
        return document[key.section]
    have = len(document.get(key.section, ()))
    if key.number != have + 1:
        raise ConfigError(
            f"{key}: there are {have} of [[{key.section}]]; "
            f"{key.section}[+].{key.name} makes a new one"
        )
    if not have:
        document[key.section] = tomlkit.aot()
    document[key.section].append(table)
    return document[key.section][-1]


def _take_out(document: Any, key: Key) -> str:
    """The file without the option; a table of a list that it empties goes too."""
    holder = _holder(document, key)
    if holder is None or key.name not in holder:
        raise ConfigError(f"{key} is not in the file; its default counts already")
    del holder[key.name]
    if key.number and not holder:
        del document[key.section][key.number - 1]
    return tomlkit.dumps(document)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One change at a time; the lock is on the folder, as the file is replaced."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _journal(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    """A line for each, on disk before the change is."""
    journal = path.with_name(path.name + ".journal")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    descriptor = os.open(journal, flags, 0o600)
    try:
        lines = [json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries]
        os.write(descriptor, "".join(lines).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, octets: bytes) -> None:
    """New octets in one rename, with the owner and mode of the old file."""
    old = path.stat()
    new = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()  # what a crash left; the lock says that nobody writes it
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(octets)
        if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, old.st_mode & 0o7777)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(new, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
