"""Sieve scripts in the state of an account, and the active one as a file beside it.

Delivery looks at that file only: one stat tells whether there is anything to do.  It is
made from the state, and a file that another program put there without the state knowing
any script becomes the first.  Everything here runs in a thread, within a turn.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ...errors import NoSuchScript, ScriptActive, ScriptExists, TooManyScripts
from ...mailbox.model import ScriptInfo
from ..state import State
from . import durable

if TYPE_CHECKING:
    from .account import AccountFiles

ACTIVE_FILE = "active.sieve"  # in the account's home
ADOPTED = "active"  # what a script is called that lay there
MOST_FILE = 4 << 20  # octets that are read of it

Stamp = tuple[int, int, int]


def stamp(home: str) -> Stamp | None:
    """What is another after the active script changed; None if there is none."""
    try:
        found = os.stat(os.path.join(home, ACTIVE_FILE))
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_active(home: str) -> bytes | None:
    """The active script as delivery sees it.  Raises OSError."""
    try:
        with open(os.path.join(home, ACTIVE_FILE), "rb") as file:
            return file.read(MOST_FILE)
    except FileNotFoundError:
        return None


def publish(home: str, state: State) -> None:
    """Have the file say what the state does, after whatever came between."""
    db = state.db
    there = read_active(home)
    row = db.execute("SELECT octets FROM scripts WHERE active = 1").fetchone()
    wanted = None if row is None else bytes(row[0])
    if there == wanted:
        return
    if wanted is None and not db.execute("SELECT 1 FROM scripts LIMIT 1").fetchone():
        with state.transaction():
            state.retell()
            db.execute("INSERT INTO scripts VALUES (?, ?, 1)", (ADOPTED, there))
        return
    _write(home, wanted)


def _write(home: str, octets: bytes | None) -> None:
    path = os.path.join(home, ACTIVE_FILE)
    if octets is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    else:
        draft = f"{path}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)  # what a crash left
        descriptor = durable.create(draft)
        try:
            durable.write_all(descriptor, [octets])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(draft, path)
    durable.sync_directory(home)


def listed(files: AccountFiles) -> list[ScriptInfo]:
    files.place.prepare()
    publish(files.account.home, files.state)
    rows = files.state.db.execute(
        "SELECT name, length(octets), active FROM scripts ORDER BY name"
    )
    return [ScriptInfo(name, octets, bool(active)) for name, octets, active in rows]


def script(files: AccountFiles, name: str) -> bytes:
    """Raises NoSuchScript."""
    row = files.state.db.execute(
        "SELECT octets FROM scripts WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise NoSuchScript()
    return bytes(row[0])


def put(files: AccountFiles, name: str, octets: bytes, most: int) -> None:
    """Raises TooManyScripts above `most` of them."""
    files.place.prepare()
    publish(files.account.home, files.state)
    db = files.state.db
    with files.state.transaction():
        files.state.retell()
        (others,) = db.execute(
            "SELECT count(*) FROM scripts WHERE name != ?", (name,)
        ).fetchone()
        if others >= most:
            raise TooManyScripts()
        db.execute(
            "INSERT INTO scripts (name, octets) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET octets = excluded.octets",
            (name, octets),
        )
    publish(files.account.home, files.state)


def remove(files: AccountFiles, name: str) -> None:
    """Raises NoSuchScript, ScriptActive."""
    db = files.state.db
    with files.state.transaction():
        files.state.retell()
        if _is_active(files, name):
            raise ScriptActive()
        db.execute("DELETE FROM scripts WHERE name = ?", (name,))


def rename(files: AccountFiles, old: str, new: str) -> None:
    """Raises NoSuchScript, ScriptExists."""
    db = files.state.db
    with files.state.transaction():
        files.state.retell()
        _is_active(files, old)
        if db.execute("SELECT 1 FROM scripts WHERE name = ?", (new,)).fetchone():
            raise ScriptExists()
        db.execute("UPDATE scripts SET name = ? WHERE name = ?", (new, old))


def activate(files: AccountFiles, name: str | None) -> None:
    """Raises NoSuchScript."""
    files.place.prepare()
    publish(files.account.home, files.state)
    db = files.state.db
    with files.state.transaction():
        files.state.retell()
        if name is not None:
            _is_active(files, name)
        db.execute("UPDATE scripts SET active = 0 WHERE active = 1")
        if name is not None:
            db.execute("UPDATE scripts SET active = 1 WHERE name = ?", (name,))
    publish(files.account.home, files.state)


def _is_active(files: AccountFiles, name: str) -> bool:
    row = files.state.db.execute(
        "SELECT active FROM scripts WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise NoSuchScript()
    return bool(row[0])
