"""The index of what accounts share: `shares.sqlite` in the data folder."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from ..errors import LookupFailed
from ..mailbox.sharing import IShares
from ..tables.pool import TablePool
from . import sqlite

log = Logger()

KNOWN_S = 1.0  # what another process puts down is seen after
MOST_KNOWN = 10_000  # logins whose owners are remembered

Result = TypeVar("Result")


class SharesFile:
    """The file itself, read and written synchronously, by one thread at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: sqlite3.Connection | None = None

    @property
    def db(self) -> sqlite3.Connection:
        if self._opened is None:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            self._opened = sqlite.opened(
                self.path, "mailtwist.store", "shares_schema", check_same_thread=False
            )
        return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def owners(self, identifiers: frozenset[str]) -> list[str]:
        rows = self.db.execute(
            "SELECT DISTINCT owner FROM shares"
            " WHERE identifier IN (SELECT value FROM json_each(?)) ORDER BY owner",
            (json.dumps(sorted(identifiers)),),
        )
        return [row[0] for row in rows]

    def note(self, owner: str, identifier: str) -> int:
        (noted,) = self.db.execute(
            "INSERT INTO shares (identifier, owner) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET noted = noted + 1 RETURNING noted",
            (identifier, owner),
        ).fetchone()
        return int(noted)

    def forget(self, owner: str, identifier: str, noted: int) -> None:
        self.db.execute(
            "DELETE FROM shares WHERE identifier = ? AND owner = ? AND noted = ?",
            (identifier, owner, noted),
        )

    def forget_owner(self, owner: str) -> None:
        """The account is gone, or shares nothing any more."""
        self.db.execute("DELETE FROM shares WHERE owner = ?", (owner,))

    def shared(self) -> list[tuple[str, str]]:
        """(owner, identifier) pairs, sorted."""
        rows = self.db.execute("SELECT owner, identifier FROM shares ORDER BY 1, 2")
        return rows.fetchall()

    def may_send_as(self, identifiers: frozenset[str], address: str) -> bool:
        found = self.db.execute(
            "SELECT 1 FROM send_as WHERE address = ?"
            " AND identifier IN (SELECT value FROM json_each(?)) LIMIT 1",
            (address, json.dumps(sorted(identifiers))),
        )
        return found.fetchone() is not None

    def senders(self, address: str) -> list[str]:
        rows = self.db.execute(
            "SELECT identifier FROM send_as WHERE address = ? ORDER BY 1", (address,)
        )
        return [row[0] for row in rows]

    def let_send(self, identifier: str, address: str, *, may: bool = True) -> None:
        if may:
            self.db.execute(
                "INSERT OR IGNORE INTO send_as VALUES (?, ?)", (identifier, address)
            )
        else:
            self.db.execute(
                "DELETE FROM send_as WHERE identifier = ? AND address = ?",
                (identifier, address),
            )


@implementer(IShares)
class Shares:
    """See IShares; opened when it is first asked."""

    def __init__(self, reactor: Any, path: str) -> None:
        self._reactor, self._file = reactor, SharesFile(path)
        self._pool = TablePool(reactor, "shares", 1)
        self._known: dict[frozenset[str], tuple[float, list[str]]] = {}
        self._changes = 0

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """In a thread, of the file; raises MailError."""
        try:
            result: Result = await self._pool.run(work, self._file, *arguments)
        except sqlite3.Error as fault:
            log.failure("the index of what is shared")
            raise sqlite.fault_of(fault) from fault
        except OSError as fault:
            log.failure("the index of what is shared")
            raise LookupFailed() from fault
        return result

    async def owners(self, identifiers: frozenset[str]) -> list[str]:
        until, found = self._known.get(identifiers, (0.0, []))
        if self._reactor.seconds() >= until:
            since = self._changes
            found = await self.run(SharesFile.owners, identifiers)
            if since == self._changes:
                if len(self._known) >= MOST_KNOWN:
                    self._known.clear()
                until = self._reactor.seconds() + KNOWN_S
                self._known[identifiers] = until, found
        return found

    async def note(self, owner: str, identifier: str) -> int:
        try:
            return await self.run(SharesFile.note, owner, identifier)
        finally:
            self._changed()

    async def forget(self, owner: str, identifier: str, noted: int) -> None:
        try:
            await self.run(SharesFile.forget, owner, identifier, noted)
        finally:
            self._changed()

    def _changed(self) -> None:
        self._known.clear()
        self._changes += 1

    async def may_send_as(self, identifiers: frozenset[str], address: str) -> bool:
        return await self.run(SharesFile.may_send_as, identifiers, address)

    async def close(self) -> None:
        await self._pool.close()
        self._file.close()
