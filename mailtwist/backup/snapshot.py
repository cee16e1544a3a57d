"""Snapshots: what there was at one moment."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator

from attrs import asdict, field, frozen

from ..errors import MailError
from ..store.maildir import durable
from . import tree
from .objects import Objects

VERSION = 1
FOLDER = "snapshots"
_ID = re.compile(r"\d{8}T\d{6}Z(?:-\d+)?")


@frozen
class Part:
    """What was in the folder `root`, all of it or a single file."""

    root: str
    digest: str  # of its tree


@frozen
class Home:
    """An account: where its home is, and its mail."""

    home: str
    mailbox: str = ""


@frozen
class Snapshot:
    """`data` is the server's data folder, whose part is among `parts`; accounts by
    name."""

    id: str
    hostname: str
    data: str
    parts: list[Part] = field(factory=list)
    accounts: dict[str, Home] = field(factory=dict)
    version: int = VERSION


def new_id(target: str) -> str:
    """By the clock, and another than those that are there."""
    first = found = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 1
    while os.path.lexists(_path(target, found)):
        number += 1
        found = f"{first}-{number}"
    return found


def _path(target: str, name: str) -> str:
    if _ID.fullmatch(name) is None:
        raise MailError(f"{name!a} is no snapshot")
    return os.path.join(target, FOLDER, f"{name}.json")


def ids(target: str) -> list[str]:
    """The oldest first."""
    try:
        names = os.listdir(os.path.join(target, FOLDER))
    except FileNotFoundError:
        return []
    found = [name.removesuffix(".json") for name in names if name.endswith(".json")]
    return sorted(filter(_ID.fullmatch, found), key=_order)


def _order(name: str) -> tuple[str, int]:
    moment, _, number = name.partition("-")
    return moment, int(number or 1)


def write(objects: Objects, snapshot: Snapshot) -> None:
    """All that it names is durable before it appears."""
    folder = os.path.join(objects.target, FOLDER)
    durable.make_directories([folder])
    objects.sync()
    path = _path(objects.target, snapshot.id)
    with open(f"{path}.new", "w") as file:
        json.dump(asdict(snapshot), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{path}.new", path)
    durable.sync_directory(folder)


def read(target: str, name: str = "") -> Snapshot:
    """That one, or the newest; raises MailError."""
    known = ids(target)
    if not known:
        raise MailError(f"There is no backup in {target!a}")
    path = _path(target, name or known[-1])
    try:
        with open(path) as file:
            held = json.load(file)
        if held["version"] != VERSION:
            raise MailError(f"{path}: made by another mailtwist")
        return Snapshot(
            held["id"],
            held["hostname"],
            held["data"],
            [Part(**part) for part in held["parts"]],
            {key: Home(**home) for key, home in held["accounts"].items()},
        )
    except FileNotFoundError as fault:
        raise MailError(f"There is no snapshot {name!a}") from fault
    except (ValueError, KeyError, TypeError) as fault:
        raise MailError(f"{path}: is no snapshot") from fault


def remove(target: str, name: str) -> None:
    os.unlink(_path(target, name))


def named(objects: Objects, snapshot: Snapshot) -> Iterator[str]:
    """The digests of all objects that belong to it; raises MailError."""
    for part in snapshot.parts:
        yield part.digest
        for entry in tree.read(objects, part.digest):
            if not entry.is_folder:
                yield entry.digest


def entries(
    objects: Objects, snapshot: Snapshot, folder: str
) -> Iterator[tuple[str, tree.Entry]]:
    """(absolute path, entry) of a path and all below it, wherever it is kept."""
    folder = folder.rstrip("/")
    for part in snapshot.parts:
        root = part.root.rstrip("/")
        if not (_within(folder, root) or _within(root, folder)):
            continue
        for entry in tree.read(objects, part.digest):
            path = os.path.join(part.root, entry.path)
            if _within(path, folder):
                yield path, entry


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
