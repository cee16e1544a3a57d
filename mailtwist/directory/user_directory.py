"""IDirectory on the user database: answers from memory, notices what others wrote."""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ..address import Address
from ..auth.names import account_key, login_key
from ..config.model import Config
from ..errors import AuthUnavailable, ConfigError
from ..interfaces import IDirectory
from .key_file import KeyFile
from .model import Account
from .stamp import JUST_NOW_NS, LOOK_S, stamp_of
from .user_rows import OFFERS
from .userdb import UserDb

log = Logger()

MOST_KNOWN = 20_000  # answers in memory, "no such account" among them

Result = TypeVar("Result")


class UserDbThread:
    """One thread that reads the user database for the reactor."""

    def __init__(self, reactor: Any, config: Config, path: str = "") -> None:
        self._reactor, self._db = reactor, UserDb(config, path=path)
        self._pool = ThreadPool(0, 1, "mailtwist-userdb")
        self._opened, self._closed = False, False
        self.changes = 0  # that were made by us

    @property
    def path(self) -> str:
        return str(self._db.path)

    @property
    def key_file(self) -> KeyFile:
        return self._db.key_file

    def run(self, work: Callable[[UserDb], Result]) -> Deferred[Result]:
        """What `work` gives, run in the thread with the database.

        Fails with AuthUnavailable if the database cannot be used."""
        if self._closed:
            return fail(AuthUnavailable())
        if not self._pool.started:
            self._pool.start()
        done = deferToThreadPool(self._reactor, self._pool, work, self._db)
        return done.addErrback(unavailable, self.path)

    async def change(self, work: Callable[[UserDb], Result]) -> Result:
        """As `run`, for work that writes: whoever asks afterwards sees it."""
        try:
            result: Result = await self.run(work)
        finally:
            self.changes += 1
        return result

    async def opened(self) -> None:
        """Return when the file is there; made if it was not."""
        if not self._opened:
            await self.run(UserDb.open)
            self._opened = True

    async def close(self) -> None:
        if self._pool.started:
            await self.run(UserDb.close)
            self._closed = True
            self._pool.stop()
        self._closed = True


def unavailable(failure: Failure, path: str) -> Any:
    """A database that cannot be used never means "not found" or "wrong password"."""
    failure.trap(sqlite3.Error, OSError, ConfigError)
    log.error("{path} cannot be used: {why}", path=path, why=str(failure.value))
    raise AuthUnavailable() from failure.value


@frozen
class Offers:
    """`keeps_secrets`: an account could answer APOP or CRAM-MD5; `lacks_keys`: one has
    a password that SCRAM could not judge; `has_keys`: one has keys for it."""

    keeps_secrets: bool
    lacks_keys: bool
    has_keys: bool


@implementer(IDirectory)
class UserDirectory:
    """Accounts that were asked for stay in memory until the file changes.

    A look at the file costs two stat calls and happens at most every LOOK_S seconds, so
    a look-up for RCPT as a rule neither waits nor leaves the reactor's thread.
    """

    def __init__(self, reactor: Any, config: Config, thread: UserDbThread) -> None:
        self._reactor, self._thread = reactor, thread
        self._domains = frozenset(domain.name for domain in config.domain)
        self._default = config.auth.default_domain
        self._known: OrderedDict[str, Account | None] = OrderedDict()
        self._stamp: object = None
        self._changes = 0
        self._looked_at = float("-inf")
        self._offers, self._offers_known = Offers(False, False, False), False

    async def has_domain(self, domain: str) -> bool:
        return domain in self._domains

    async def account(self, name: str) -> Account | None:
        return await self._find(login_key(name, self._default))

    async def account_for(self, address: Address) -> Account | None:
        return await self._find(account_key(address)) if address.domain else None

    async def first_account(self) -> Account | None:
        """The account that gets postmaster's mail if nobody else does."""
        return await self._answer("", UserDb.first_account)

    async def _find(self, key: str) -> Account | None:
        def find(db: UserDb) -> Account | None:
            row = db.find(key)
            return None if row is None else row.account

        return await self._answer(key, find) if key else None

    async def _answer(
        self, key: str, ask: Callable[[UserDb], Account | None]
    ) -> Account | None:
        """From memory, else asked; "" stands for the first account."""
        self._look()
        try:
            account = self._known[key]
        except KeyError:
            stamp = self._stamp
            account = await self._thread.run(ask)
            if stamp is self._stamp:  # else a change came in between
                self._known[key] = account
                if len(self._known) > MOST_KNOWN:
                    self._known.popitem(last=False)
        return account

    def offers(self) -> Offers:
        """What its accounts could answer.

        Greetings and capabilities cannot wait for a thread: after a change of the file
        this reads one row here (some 0.1 ms), and never waits for a lock.
        """
        self._look()
        if not self._offers_known:
            try:
                self._offers = offers(self._thread.path)
                self._offers_known = True
            except sqlite3.Error:
                log.debug("{path} cannot be read now", path=self._thread.path)
        return self._offers

    def stamp(self) -> object:
        """Another value after somebody wrote to the file, however lately."""
        path = self._thread.path
        stamps = [stamp_of(path), stamp_of(f"{path}-wal")]
        youngest = max(written_ns for _, written_ns, _ in stamps)
        fresh = time.time_ns() - youngest < JUST_NOW_NS
        return [*stamps, object()] if fresh else stamps

    def _look(self) -> None:
        """Forget what was known if somebody wrote to the file."""
        now, changes = self._reactor.seconds(), self._thread.changes
        if now - self._looked_at < LOOK_S and changes == self._changes:
            return
        self._looked_at = now
        if changes != self._changes:  # by ourselves, however fine the file's time is
            self._changes, self._stamp = changes, None
        path = self._thread.path
        stamps = [stamp_of(path), stamp_of(f"{path}-wal")]
        if stamps == self._stamp:
            return
        self._known.clear()
        self._offers_known = False  # the old answer holds until it can be asked
        self._stamp = stamps
        youngest = max(written_ns for _, written_ns, _ in stamps)
        if time.time_ns() - youngest < JUST_NOW_NS:
            # File times are as coarse as the kernel's tick: look again next time.
            self._stamp = [*stamps, "just now"]


def offers(path: str) -> Offers:
    """Asked on a connection of its own that never waits.  Raises sqlite3.Error."""
    connection = sqlite3.connect(path_uri(path), uri=True, timeout=0)
    try:
        return Offers(*map(bool, connection.execute(OFFERS).fetchone()))
    finally:
        connection.close()


def path_uri(path: str) -> str:
    """For reading only; "?" and "#" are no part of a path in a URI."""
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{escaped}?mode=ro"
