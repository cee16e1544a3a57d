"""Checks passwords against hashes that a source of accounts tells."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...directory.fields import Entry
from ...directory.hashes_schemes import UnusableHash, Verifier
from ...errors import AuthUnavailable
from ...sasl.text import MOST_PASSWORD
from ..credentials import text_of
from .hash_pool import HashPool

log = Logger("mailtwist")


class Entries(Protocol):
    """A directory that tells hashes."""

    async def entry(self, name: str) -> Entry | None: ...


@implementer(ICredentialsChecker)
class StoredChecker:
    """Hashing runs in threads of its own.  An unknown name costs a hash too."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self, reactor: Any, name: str, entries: Entries, scheme: str, threads: int
    ) -> None:
        self._name, self._entries = name, entries
        self._verifier = Verifier(scheme)
        self._pool = HashPool(reactor, threads)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:
        """Raises UnauthorizedLogin, AuthUnavailable."""
        name, password = text_of(credentials.username), credentials.password
        if not 0 < len(password) <= MOST_PASSWORD:
            raise UnauthorizedLogin()
        entry = await self._entries.entry(name)
        stored = entry.hash if entry is not None else None
        try:
            right = await self._pool.run(lambda: self._verifier.fits(stored, password))
        except UnusableHash as fault:
            log.error(
                "source {source}: the hash of {login} cannot be used: {why}",
                source=self._name,
                login=name,
                why=str(fault),
            )
            raise AuthUnavailable() from fault
        if entry is None or not right:
            raise UnauthorizedLogin()
        return entry.account.name.encode()

    async def close(self) -> None:
        self._pool.stop()
