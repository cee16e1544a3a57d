"""A SQLite file that can be made anew from the mail: deletable at any time.

Runs in threads, one at a time for an object.  A damaged file is set aside and begun
anew, and told so; while there is no usable one (disk full, no permission) every
question has the answer that its asker gives for "nothing is known".
"""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

from twisted.logger import Logger

from . import sqlite

log = Logger("mailtwist")

BUSY_S = 10.0

Result = TypeVar("Result")


class DerivedFile(ABC):
    """`path` is opened at the first question.

    `version` is of what is in it: what another version wrote is dropped.  `layout` are
    pragmas for a file without pages, `synchronous` is how much a power cut may take.
    """

    version: ClassVar[int]
    layout: ClassVar[tuple[str, ...]]
    synchronous: ClassVar[str]

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: sqlite3.Connection | None = None

    @abstractmethod
    def make(self, db: sqlite3.Connection) -> None:
        """Make the tables of `version`; there are none."""

    @abstractmethod
    def forget_read(self) -> None:
        """Drop what was read from a file that is no longer the one."""

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    def close(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.close()
        self.forget_read()

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file; nothing if there is none."""
        if not os.path.exists(self.path):
            return []
        try:
            return sqlite.faults(self.database())
        except (OSError, sqlite3.Error) as fault:
            self.close()
            return [str(fault)]

    def discard(self) -> None:
        """Set the file aside; it is made anew."""
        self.close()
        self._set_aside()

    def guarded(
        self, work: Callable[[sqlite3.Connection], Result], otherwise: Result
    ) -> Result:
        """What `work` gives, or `otherwise` if the file is of no use now."""
        try:
            return work(self.database())
        except OSError as fault:
            log.warn("{path} cannot be used: {why}", path=self.path, why=str(fault))
        except sqlite3.Error as fault:
            self.close()
            if sqlite.damaged(fault) or sqlite.code_of(fault) == sqlite3.SQLITE_ERROR:
                log.error(
                    "{path} is damaged ({why}); it is made anew",
                    path=self.path,
                    why=str(fault),
                )
                self._set_aside()
            else:
                log.warn("{path} cannot be used: {why}", path=self.path, why=str(fault))
        return otherwise

    def database(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def make_anew(self, db: sqlite3.Connection) -> None:
        """Drop all tables and make new ones, in a transaction of the caller's."""
        for sort in ("CREATE VIRTUAL TABLE%", "%"):  # those have tables of their own
            names = db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE ?"
                " AND name NOT LIKE 'sqlite_%'",
                (sort,),
            ).fetchall()
            for (name,) in names:
                db.execute(f'DROP TABLE "{name}"')
        self.make(db)
        db.execute(f"PRAGMA user_version={self.version:d}")

    def _set_aside(self) -> None:
        try:
            sqlite.set_aside(self.path)
        except OSError as fault:
            log.warn("{path} stays: {why}", path=self.path, why=str(fault))

    def _open(self) -> sqlite3.Connection:
        if not os.path.exists(self.path):
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(
            self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            if not db.execute("PRAGMA page_count").fetchone()[0]:
                for pragma in self.layout:
                    db.execute(f"PRAGMA {pragma}")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA synchronous={self.synchronous}")
            if db.execute("PRAGMA user_version").fetchone()[0] != self.version:
                sqlite.whole(db, self.make_anew)
        except BaseException:
            db.close()
            raise
        return db
