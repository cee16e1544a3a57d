"""The index of what accounts share: `shares.sqlite` in the data folder.

A damaged file is set aside and begun anew with what can still be read of it.  Who gave
something to whom can be told from the accounts: until somebody has done so
(`Shares.complete`) a file beside it says that there may be more than the index knows.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from ..address import Address
from ..auth.names import account_key
from ..directory.model import Account
from ..errors import LookupFailed
from ..interfaces import ISendAs
from ..mailbox.sharing import IShares
from ..tables.pool import TablePool
from . import sqlite

log = Logger()

KNOWN_S = 1.0  # what another process puts down is seen after
MOST_KNOWN = 10_000  # logins whose owners are remembered

Result = TypeVar("Result")

_QUESTIONS = (
    "SELECT identifier, owner FROM shares",
    "SELECT identifier, address FROM send_as",
    "SELECT address AS identifier, '' FROM keeps_sent",
)


class SharesFile:
    """The file itself, read and written synchronously, by one thread at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: sqlite3.Connection | None = None
        self._inode = 0

    @property
    def db(self) -> sqlite3.Connection:
        if not self._is_current():  # another process has set it aside
            self.close()
        if self._opened is None:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            with suppress(FileNotFoundError):
                self._inode = os.stat(self.path).st_ino  # if it cannot be opened
            self._opened = self._open()
            self._inode = os.stat(self.path).st_ino
        return self._opened

    def _open(self) -> sqlite3.Connection:
        return sqlite.opened(
            self.path, "mailtwist.store", "shares_schema", check_same_thread=False
        )

    def _is_current(self) -> bool:
        try:
            return os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            return False

    # -- damage -----------------------------------------------------------------

    @property
    def _mark(self) -> str:
        return f"{self.path}.incomplete"

    @property
    def incomplete(self) -> bool:
        """True if it was damaged, and nobody has asked the accounts since."""
        return os.path.exists(self._mark)

    def complete(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._mark)

    def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """`work` of this file; once more, of a new one, if it is damaged."""
        try:
            return work(self, *arguments)
        except sqlite3.DatabaseError as fault:
            if not sqlite.damaged(fault):
                raise
            self.recover(str(fault))
            return work(self, *arguments)

    def recover(self, why: str) -> None:
        """Set the file aside, unless another process has done so, and keep what can
        be read of it."""
        self.close()
        with self._alone():
            if not self._is_current():
                return
            os.close(os.open(self._mark, os.O_WRONLY | os.O_CREAT, 0o600))
            shares, senders, keeping = self._readable()
            sqlite.set_aside(self.path)
            log.critical(
                "{path} is damaged ({why}); it is kept as {path}.damaged, with"
                " {shares} shares and {senders} senders read from it."
                " `mailtwist share rebuild` asks the accounts for all shares.",
                path=self.path,
                why=why,
                shares=len(shares),
                senders=len(senders),
            )
            for identifier, owner in shares:
                self.note(owner, identifier)
            for identifier, address in senders:
                self.let_send(identifier, address)
            for address, _ in keeping:
                self.keep_sent(address)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(f"{self.path}.lock", flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _readable(self) -> list[list[tuple[str, str]]]:
        """Rows of the tables, as far as they can be read from either end."""
        found = []
        with closing(sqlite3.connect(self.path)) as db:
            for question in _QUESTIONS:
                rows: set[tuple[str, str]] = set()
                for order in ("", " ORDER BY identifier DESC"):
                    with suppress(sqlite3.DatabaseError):
                        for row in db.execute(question + order):
                            if all(isinstance(text, str) for text in row):
                                rows.add(row)
                found.append(sorted(rows))
        return found

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

    def keep_sent(self, address: str, *, keep: bool = True) -> None:
        if keep:
            self.db.execute("INSERT OR IGNORE INTO keeps_sent VALUES (?)", (address,))
        else:
            self.db.execute("DELETE FROM keeps_sent WHERE address = ?", (address,))

    def keeps_sent(self, address: str) -> bool:
        found = self.db.execute(
            "SELECT 1 FROM keeps_sent WHERE address = ?", (address,)
        )
        return found.fetchone() is not None


@implementer(IShares, ISendAs)
class Shares:
    """See IShares; opened when it is first asked."""

    def __init__(self, reactor: Any, path: str) -> None:
        self._reactor, self._file = reactor, SharesFile(path)
        self.on_damage: Callable[[], None] | None = None  # the accounts are to be asked
        self._pool = TablePool(reactor, "shares", 1)
        self._known: dict[frozenset[str], tuple[float, list[str]]] = {}
        self._changes = 0
        self.hint: Callable[[], None] = lambda: None  # called when we changed it

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """In a thread, of the file; raises MailError."""
        try:
            result: Result
            result, incomplete = await self._pool.run(self._run, work, *arguments)
        except sqlite3.Error as fault:
            log.failure("the index of what is shared")
            raise sqlite.fault_of(fault) from fault
        except OSError as fault:
            log.failure("the index of what is shared")
            raise LookupFailed() from fault
        if incomplete and self.on_damage is not None:
            told, self.on_damage = self.on_damage, None
            told()
        return result

    def _run(self, work: Callable[..., Result], *arguments: Any) -> tuple[Result, bool]:
        result = self._file.run(work, *arguments)
        return result, self._file.incomplete

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
        self.others_changed()
        self.hint()

    def others_changed(self) -> None:
        """Ask the file again: it may have changed."""
        self._known.clear()
        self._changes += 1

    async def senders(self, address: Address, owner: Account | None) -> list[str]:
        """See ISendAs."""
        return await self.run(SharesFile.senders, account_key(address))

    async def keeps_sent(self, address: str) -> bool:
        return await self.run(SharesFile.keeps_sent, address)

    async def close(self) -> None:
        await self._pool.close()
        self._file.close()
