"""IDirectory on the user database: answers from memory, notices what others wrote."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ..address import Address
from ..config.model import Config
from ..interfaces import IDirectory
from .model import Account
from .userdb import Row, UserDb, name_key

LOOK_S = 0.25  # how old an answer may be

Result = TypeVar("Result")


class UserDbThread:
    """One thread that reads and writes the user database for the reactor."""

    def __init__(self, reactor: Any, config: Config) -> None:
        self._reactor, self._db = reactor, UserDb(config)
        self._pool = ThreadPool(0, 1, "mailtwist-userdb")

    def start(self) -> None:
        if not self._pool.started:
            self._pool.start()

    def run(self, work: Callable[[UserDb], Result]) -> Deferred[Result]:
        """What `work` gives, run in the thread with the database."""
        self.start()
        return deferToThreadPool(self._reactor, self._pool, work, self._db)

    @property
    def paths(self) -> tuple[str, str]:
        path = str(self._db.path)
        return path, f"{path}-wal"

    async def close(self) -> None:
        if self._pool.started:
            await self.run(UserDb.close)
            self._pool.stop()


@implementer(IDirectory)
class UserDirectory:
    """All accounts in memory, read anew when the file changed.

    A look at the file costs two stat calls and happens at most every LOOK_S seconds, so
    a look-up for RCPT neither waits nor leaves the reactor's thread.
    """

    def __init__(self, reactor: Any, config: Config, thread: UserDbThread) -> None:
        self._reactor, self._thread = reactor, thread
        self._domains = frozenset(domain.name for domain in config.domain)
        self._default = config.auth.default_domain
        self._accounts: dict[str, Row] = {}
        self._stamp: object = None
        self._looked_at = float("-inf")
        self.has_secrets = False

    async def has_domain(self, domain: str) -> bool:
        return domain in self._domains

    async def account(self, name: str) -> Account | None:
        await self._fresh()
        if "@" not in name and self._default:
            name = f"{name}@{self._default}"
        row = self._accounts.get(name_key(name))
        return row.account if row is not None else None

    async def account_for(self, address: Address) -> Account | None:
        await self._fresh()
        row = self._accounts.get(name_key(str(address)))
        return row.account if row is not None else None

    async def first_account(self) -> Account | None:
        """The account that gets postmaster's mail if nobody else does."""
        await self._fresh()
        for row in self._accounts.values():
            if row.account.enabled:
                return row.account
        return None

    async def _fresh(self) -> None:
        now = self._reactor.seconds()
        if now - self._looked_at < LOOK_S:
            return
        stamp = [_stamp(path) for path in self._thread.paths]
        if stamp != self._stamp:
            rows = await self._thread.run(UserDb.accounts)
            self._accounts = {name_key(row.account.name): row for row in rows}
            self.has_secrets = any(row.keeps_secret for row in rows)
            # What was written while we read shows at the next look.
            self._stamp = stamp
        self._looked_at = now


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        seen = os.stat(path)
    except FileNotFoundError:
        return 0, 0, 0
    return seen.st_ino, seen.st_mtime_ns, seen.st_size
