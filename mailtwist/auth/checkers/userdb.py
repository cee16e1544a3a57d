"""Checks passwords, digests and SCRAM proofs against the user database."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ...config.model import Config
from ...directory.user_directory import UserDbThread
from ...directory.userdb import UserDb
from ...errors import SystemBusy
from ...interfaces import IScramSource
from ...sasl.model import ScramKeys

MOST_WAITING = 500  # checks that wait for a thread; more are told to come back


@implementer(ICredentialsChecker, IScramSource)
class UserDbChecker:
    """Hashing runs in threads of its own, so that look-ups never wait for it."""

    credentialInterfaces = (IUsernamePassword, IUsernameHashedPassword)

    def __init__(self, reactor: Any, config: Config, thread: UserDbThread) -> None:
        self._reactor, self._config, self._thread = reactor, config, thread
        self._pool = ThreadPool(0, config.auth.threads, "mailtwist-password")
        self._idle: list[UserDb] = []
        self._waiting = 0

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:
        name = credentials.username.decode(errors="replace")
        if IUsernamePassword.providedBy(credentials):
            found = await self._verify(name, credentials.password)
        else:
            kept = await self._thread.run(lambda db: db.secret(name))
            fits = credentials.checkPassword(kept[1] if kept else b"nobody's secret")
            found = kept[0] if kept and fits else None
        if found is None:
            raise UnauthorizedLogin()
        return found.encode()

    async def _verify(self, name: str, password: bytes) -> str | None:
        if self._waiting >= MOST_WAITING:
            raise SystemBusy()
        if not self._pool.started:
            self._pool.start()
        self._waiting += 1
        try:
            return await deferToThreadPool(
                self._reactor, self._pool, self._verify_in_thread, name, password
            )
        finally:
            self._waiting -= 1

    def _verify_in_thread(self, name: str, password: bytes) -> str | None:
        """list.pop and append are atomic: each thread has a database to itself."""
        try:
            db = self._idle.pop()
        except IndexError:
            db = UserDb(self._config)
        try:
            return db.verify(name, password)
        finally:
            self._idle.append(db)

    async def scram_keys(
        self, username: str, mechanism: str
    ) -> tuple[bytes, ScramKeys] | None:
        found = await self._thread.run(lambda db: db.scram_keys(username, mechanism))
        return None if found is None else (found[0].encode(), found[1])

    async def close(self) -> None:
        if self._pool.started:
            self._pool.stop()
        for db in self._idle:
            db.close()
        self._idle.clear()
