"""Opening a SQLite file with numbered schema files beside the code."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TypeVar

from ..directory.owner import give_to_owner_of
from ..errors import ConfigError, MailError, StorageFull, SystemBusy

BUSY_S = 10.0

Result = TypeVar("Result")

_FAULTS: dict[int, type[MailError]] = {
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_BUSY: SystemBusy,
    sqlite3.SQLITE_LOCKED: SystemBusy,
    sqlite3.SQLITE_NOMEM: SystemBusy,
}
_PRIMARY = 0xFF  # of an extended result code


def opened(
    path: str, package: str, folder: str, *, check_same_thread: bool = True
) -> sqlite3.Connection:
    """The database at `path`, made or upgraded to the newest schema of `folder`.

    Writes are durable when they return (synchronous=FULL).  The file is for its owner
    only, whom its folder belongs to also if root makes it.  Raises ConfigError for a
    database newer than this program.
    """
    if not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        give_to_owner_of(Path(path).absolute().parent, Path(path))
    connection = sqlite3.connect(
        path,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=check_same_thread,
        cached_statements=256,
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        upgrade(connection, path, package, folder)
    except BaseException:
        connection.close()
        raise
    return connection


def code_of(fault: sqlite3.Error) -> int:
    """The primary result code; -1 for a fault that is not SQLite's own."""
    code = getattr(fault, "sqlite_errorcode", None)
    return -1 if code is None else int(code) & _PRIMARY


def damaged(fault: sqlite3.Error) -> bool:
    """True if the file itself is broken, and not only in use or the disk full."""
    return code_of(fault) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def fault_of(fault: sqlite3.Error) -> MailError:
    """What a client is told; it may always try again later."""
    return _FAULTS.get(code_of(fault), MailError)()


def faults(connection: sqlite3.Connection) -> list[str]:
    """What is wrong within the file: a line for each, none for one that is sound."""
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as fault:
        return [str(fault)]
    if found != ["ok"]:
        return found
    return [
        f"a row of {row[0]} belongs to none of {row[2]}"
        for row in connection.execute("PRAGMA foreign_key_check")
    ]


def set_aside(path: str) -> None:
    """Rename a damaged database and what belongs to it to `PATH.damaged`."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.replace(path + suffix, f"{path}{suffix}.damaged")


def whole(
    db: sqlite3.Connection, work: Callable[[sqlite3.Connection], Result]
) -> Result:
    """Run `work` in a transaction: all of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def upgrade(
    connection: sqlite3.Connection, path: str, package: str, folder: str
) -> None:
    """Run the schema files above the database's version, each in one transaction."""
    files = sorted(
        (int(entry.name[:3]), entry)
        for entry in (resources.files(package) / folder).iterdir()
        if entry.name.endswith(".sql")
    )
    newest = files[-1][0]
    if version_of(connection) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)
        if version > newest:
            raise ConfigError(
                f"{path}: made by a newer mailtwist (schema {version}, known {newest})"
            )
        for number, entry in files:
            if number > version:
                for statement in statements(entry.read_text()):
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version={newest:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would end our transaction."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found
