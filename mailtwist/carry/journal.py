"""Which message of one end is which of the other: SQLite, one file for a pair of ends.

It belongs to the bringing end's folder and both validities: where one of them changes,
what was known of the folder is forgotten, and messages are compared anew.  Runs in
threads, one at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable

from attrs import frozen

from ..errors import MailError
from ..flags import Flags
from ..mailbox.model import Path
from ..store import sqlite

FOLDER = "carry"
_TABLES = """
CREATE TABLE IF NOT EXISTS folders (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL, target TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    folder INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
    source TEXT NOT NULL, target TEXT NOT NULL, flags TEXT NOT NULL,
    PRIMARY KEY (folder, source)) WITHOUT ROWID;
"""


@frozen
class Known:
    """A message that was carried: its key there, and its flags here as they were."""

    key: str
    flags: Flags


class Journal:
    """`data` is the server's data folder."""

    def __init__(self, data: str, source: str, target: str) -> None:
        pair = hashlib.sha256(json.dumps([source, target]).encode()).hexdigest()
        self.path = os.path.join(data, FOLDER, f"{pair[:32]}.sqlite")
        self._opened: sqlite3.Connection | None = None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._opened is None:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            try:
                self._opened = self._open()
            except sqlite3.DatabaseError as fault:
                if not sqlite.damaged(fault):
                    raise sqlite.fault_of(fault) from fault
                sqlite.set_aside(self.path)  # messages are compared anew
                self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        if not os.path.exists(self.path):
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            db.executescript(_TABLES)
        except BaseException:
            db.close()
            raise
        return db

    def alone(self) -> None:
        """Raises MailError while another process carries between the same ends."""
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            sqlite.whole(self._db, lambda db: db.execute("PRAGMA user_version=1"))
        except sqlite3.OperationalError as fault:
            raise MailError("Another import or export of the same is running") from (
                fault
            )

    def known(self, path: Path, source: str, target: str) -> dict[str, Known]:
        """By key of the source; nothing if a validity is another than it was."""

        def known(db: sqlite3.Connection) -> dict[str, Known]:
            row = db.execute(
                "SELECT id, source, target FROM folders WHERE path = ?", (_text(path),)
            ).fetchone()
            if row is not None and row[1:] != (source, target):
                db.execute("DELETE FROM folders WHERE id = ?", row[:1])
                row = None
            if row is None:
                db.execute(
                    "INSERT INTO folders (path, source, target) VALUES (?, ?, ?)",
                    (_text(path), source, target),
                )
                return {}
            rows = db.execute(
                "SELECT source, target, flags FROM messages WHERE folder = ?", row[:1]
            )
            return {
                key: Known(there, frozenset(flags.split()))
                for key, there, flags in rows
            }

        return sqlite.whole(self._db, known)

    def note(self, path: Path, carried: Iterable[tuple[str, Known]]) -> None:
        """Messages were carried, or have other flags now."""
        rows = [
            (key, known.key, " ".join(sorted(known.flags)), _text(path))
            for key, known in carried
        ]
        sqlite.whole(
            self._db,
            lambda db: db.executemany(
                "INSERT OR REPLACE INTO messages (folder, source, target, flags)"
                " SELECT id, ?, ?, ? FROM folders WHERE path = ?",
                rows,
            ),
        )

    def forget(self, path: Path, keys: Iterable[str]) -> None:
        """Messages are gone, by key of the source."""
        sqlite.whole(
            self._db,
            lambda db: db.executemany(
                "DELETE FROM messages WHERE source = ? AND folder ="
                " (SELECT id FROM folders WHERE path = ?)",
                [(key, _text(path)) for key in keys],
            ),
        )

    def close(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.close()


def _text(path: Path) -> str:
    return json.dumps(path, ensure_ascii=False)
