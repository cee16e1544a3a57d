"""Rendered octets of messages: deletable at any time with no visible change.

Runs in threads, one at a time for an account.  A file that cannot be read is set aside
and begun anew.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence

from twisted.logger import Logger

from ..mailbox.model import Column

log = Logger()

VERSION = 1  # of the rendering; other rows than these are made again
COLUMNS = tuple(Column)
CHUNK = 500  # UIDs in one query; SQLite takes at most some thousand parameters


class Cache:
    """`cache.sqlite` of one account."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: sqlite3.Connection | None = None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._opened is None:
            try:
                self._opened = self._open()
            except sqlite3.DatabaseError:
                self._set_aside()
                self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        if not os.path.exists(self.path):
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(
            self.path, timeout=10, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")
        if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            db.execute("DROP TABLE IF EXISTS rendered")
            columns = ", ".join(f"{column.value} BLOB" for column in COLUMNS)
            db.execute(
                "CREATE TABLE rendered (mailbox TEXT, uid INTEGER,"
                f" {columns}, PRIMARY KEY (mailbox, uid)) WITHOUT ROWID"
            )
            db.execute(f"PRAGMA user_version={VERSION}")
        return db

    def _set_aside(self) -> None:
        self.close()
        log.error("{path} is damaged; it is made anew", path=self.path)
        for suffix in ("", "-wal", "-shm"):
            path = self.path + suffix
            if os.path.exists(path):
                os.replace(path, f"{path}.damaged")

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def get(
        self, mailbox: str, uids: Sequence[int], columns: Sequence[Column]
    ) -> dict[int, tuple[bytes, ...]]:
        """What is there, by UID; ascending `uids` are asked for as one range."""
        try:
            return self._get(mailbox, uids, columns)
        except sqlite3.DatabaseError:
            self._set_aside()
            return {}

    def _get(
        self, mailbox: str, uids: Sequence[int], columns: Sequence[Column]
    ) -> dict[int, tuple[bytes, ...]]:
        if not uids:
            return {}
        names = ", ".join(column.value for column in columns)
        select = f"SELECT uid, {names} FROM rendered WHERE mailbox = ? AND uid"  # noqa: S608 - names of an enum
        low, high = uids[0], uids[-1]
        if high - low < 4 * len(uids):  # dense: read the range, drop what is between
            rows = self._db.execute(
                f"{select} BETWEEN ? AND ?", (mailbox, low, high)
            ).fetchall()
            return {row[0]: row[1:] for row in rows}
        found: dict[int, tuple[bytes, ...]] = {}
        for start in range(0, len(uids), CHUNK):
            part = uids[start : start + CHUNK]
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                f"{select} IN ({marks})", (mailbox, *part)
            ).fetchall()
            found.update((row[0], row[1:]) for row in rows)
        return found

    def put(
        self, mailbox: str, rendered: Iterable[tuple[int, dict[Column, bytes]]]
    ) -> None:
        marks = ", ".join("?" * (len(COLUMNS) + 2))
        try:
            self._db.execute("BEGIN")
            self._db.executemany(
                f"INSERT OR REPLACE INTO rendered VALUES ({marks})",  # noqa: S608
                [
                    (mailbox, uid, *(columns[column] for column in COLUMNS))
                    for uid, columns in rendered
                ],
            )
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError:
            self._set_aside()

    def forget(self, mailbox: str, uids: Sequence[int] | None = None) -> None:
        """Messages, or the whole mailbox, are gone."""
        try:
            if uids is None:
                self._db.execute("DELETE FROM rendered WHERE mailbox = ?", (mailbox,))
                return
            self._db.execute("BEGIN")
            self._db.executemany(
                "DELETE FROM rendered WHERE mailbox = ? AND uid = ?",
                [(mailbox, uid) for uid in uids],
            )
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError:
            self._set_aside()
