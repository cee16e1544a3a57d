"""Checks passwords, digests and SCRAM proofs against the user database."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ...config.model import Config
from ...directory.user_directory import UserDbThread, unavailable
from ...directory.userdb import UserDb, Verified
from ...interfaces import IScramSource
from ...sasl.model import ScramKeys
from ...sasl.text import MOST_PASSWORD, prepared
from ..credentials import Door, text_of
from .hash_pool import HashPool

log = Logger()


@implementer(ICredentialsChecker, IScramSource)
class UserDbChecker:
    """Hashing runs in threads of its own, so that look-ups never wait for it."""

    credentialInterfaces = (IUsernamePassword, IUsernameHashedPassword)

    def __init__(self, reactor: Any, config: Config, thread: UserDbThread) -> None:
        self._config, self._thread = config, thread
        self._pool = HashPool(reactor, config.auth.threads)
        self._idle: list[UserDb] = []
        self._later: set[Deferred[Any]] = set()

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:
        name = text_of(credentials.username)
        if IUsernamePassword.providedBy(credentials):
            door = getattr(credentials, "door", Door())
            found = await self._verified(name, credentials.password, door.protocol)
        else:
            found = await self._proved(name, credentials)
        if found is None:
            raise UnauthorizedLogin()
        return found.encode()

    async def _verified(self, name: str, password: bytes, protocol: str) -> str | None:
        if not 0 < len(password) <= MOST_PASSWORD:
            return None
        await self._thread.opened()
        verified: Verified | None = await self._run(
            lambda db: db.verify(name, password, protocol)
        )
        if verified is None:
            return None
        app = verified.app
        if app is not None:
            log.info(
                "{login} used the application password {called}",
                login=verified.name,
                called=app.name,
            )
            if app.unseen(time.time_ns()):
                self._behind(lambda db: db.note_use(app), verified, "noted")
        elif verified.stale:
            self._behind(lambda db: db.renew(verified, password), verified, "renewed")
        return verified.name

    def _behind(
        self, work: Callable[[UserDb], object], verified: Verified, what: str
    ) -> None:
        """Behind the login's back: nobody waits for it, and it may fail."""
        done = self._run(work, promised=True)
        self._later.add(done)

        def ended(result: Any) -> None:
            self._later.discard(done)

        done.addErrback(
            lambda failure: log.warn(
                "the password of {login} was not {what}: {why}",
                login=verified.name,
                what=what,
                why=str(failure.value),
            )
        ).addBoth(ended)

    async def _proved(self, name: str, credentials: Any) -> str | None:
        """A digest that was made with the kept password, as typed or prepared."""
        owner, secret = await self._thread.run(lambda db: db.secret(name))
        fits = await maybeDeferred(credentials.checkPassword, secret)
        if not fits and (form := prepared(secret)) != secret:
            fits = await maybeDeferred(credentials.checkPassword, form)
        return owner if fits else None

    async def scram_keys(
        self, username: str, mechanism: str
    ) -> tuple[bytes, ScramKeys] | None:
        found = await self._thread.run(lambda db: db.scram_keys(username, mechanism))
        if found is not None:
            return found[0].encode(), found[1]
        row = await self._thread.run(lambda db: db.account(username))
        if row is not None and row.account.enabled:
            log.info(
                "{login} has no keys for {mechanism}: a login that sends the password "
                "makes them",
                login=row.account.name,
                mechanism=mechanism,
            )
        return None

    def _run(self, work: Any, *, promised: bool = False) -> Deferred[Any]:
        done = self._pool.run(lambda: self._in_thread(work), promised=promised)
        return done.addErrback(unavailable, self._thread.path)

    def _in_thread(self, work: Any) -> Any:
        """list.pop and append are atomic: each thread has a database to itself."""
        try:
            db = self._idle.pop()
        except IndexError:
            thread = self._thread
            db = UserDb(
                self._config,
                path=thread.path,
                key_file=thread.key_file,
                create=False,
            )
        try:
            return work(db)
        finally:
            self._idle.append(db)

    async def close(self) -> None:
        """End the threads; checks that did not begin yet fail with AuthUnavailable."""
        self._pool.refuse()
        for work in tuple(self._later):
            await work
        self._pool.stop()
        for db in self._idle:
            db.close()
        self._idle.clear()
