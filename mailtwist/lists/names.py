"""Which addresses are lists', known again as soon as anybody changes the database.

Every recipient of this host is asked about, so the names are kept in memory, and looked
up anew when the files of the database are not those of the last look.
"""

from __future__ import annotations

import os
import sqlite3

from zope.interface import implementer

from ..address import Address
from ..interfaces import IMailingLists
from .addressing import ARCHIVE, meanings
from .store import ListStore

Stamp = tuple[tuple[int, int, int] | None, ...]


@implementer(IMailingLists)
class ListNames:
    """Costs two stats while nothing changes; a database that is not there has none."""

    def __init__(self, store: ListStore, path: str) -> None:
        self._store, self._paths = store, (path, f"{path}-wal")
        self._stamp: Stamp = (None, None)
        self._names: frozenset[tuple[str, str]] = frozenset()

    def changed(self) -> bool:
        """True if the database may have changed since the names were read."""
        return self._look() != self._stamp

    async def any(self) -> bool:
        """True if there is a list."""
        return bool(await self._known())

    async def serves(self, address: Address) -> bool:
        """See IMailingLists."""
        names = await self._known()
        if not names:
            return False
        return any(
            (meant.name, address.domain) in names
            for meant in meanings(address.local_part)
            if meant.function != ARCHIVE
        )

    def forget(self) -> None:
        """Look anew, whatever the files look like."""
        self._stamp = (None, None)

    async def _known(self) -> frozenset[tuple[str, str]]:
        stamp = self._look()
        if stamp != self._stamp:
            # What is read is at least as new as the stamp.
            self._names = await self._store.read(_names) if stamp[0] else frozenset()
            self._stamp = stamp
        return self._names

    def _look(self) -> Stamp:
        return tuple(map(_of, self._paths))


def _of(path: str) -> tuple[int, int, int] | None:
    try:
        about = os.stat(path)
    except FileNotFoundError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns


def _names(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    return frozenset(connection.execute("SELECT name, domain FROM list").fetchall())
