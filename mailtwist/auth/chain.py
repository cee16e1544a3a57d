"""Checkers joined in a chain; cred keeps only one for each credentials interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import AuthUnavailable
from ..interfaces import IScramCredentials, IScramSource
from ..sasl.model import ScramKeys
from .fake import FakeKeys

log = Logger()


@implementer(ICredentialsChecker)
class CheckerChain:
    """The first checker that accepts wins; one that is down never means "wrong".

    SCRAM is asked of every source for keys first: only one conversation with the client
    is possible, and an unknown user gets one with `fake` keys that look like any.
    """

    def __init__(self, checkers: Sequence[ICredentialsChecker], fake: FakeKeys) -> None:
        self.checkers, self._fake = tuple(checkers), fake

    @property
    def credentialInterfaces(self) -> tuple[Any, ...]:
        known = {i: None for c in self.checkers for i in c.credentialInterfaces}
        if any(IScramSource.providedBy(checker) for checker in self.checkers):
            known[IScramCredentials] = None
        return tuple(known)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        if IScramCredentials.providedBy(credentials):
            return Deferred.fromCoroutine(self._scram(credentials))
        return Deferred.fromCoroutine(self._first(credentials))

    async def _first(self, credentials: Any) -> bytes | tuple[()]:
        """The avatar ID.  Raises UnauthorizedLogin if all said no, AuthUnavailable if
        one of them could not say."""
        down: Exception | None = None
        for checker in self.checkers:
            if not any(i.providedBy(credentials) for i in checker.credentialInterfaces):
                continue
            try:
                ask: Any = checker.requestAvatarId
                avatar_id: bytes | tuple[()] = await maybeDeferred(ask, credentials)
                return avatar_id
            except UnauthorizedLogin:
                continue
            except Exception as fault:
                down = self._down(checker, fault)
        if down is not None:
            raise AuthUnavailable() from down
        raise UnauthorizedLogin()

    async def _scram(self, credentials: IScramCredentials) -> bytes | tuple[()]:
        down: Exception | None = None
        found: tuple[bytes, ScramKeys] | None = None
        for checker in self.checkers:
            if not IScramSource.providedBy(checker):
                continue
            try:
                found = await checker.scram_keys(
                    credentials.username, credentials.mechanism
                )
            except Exception as fault:
                down = self._down(checker, fault)
                continue
            if found is not None:
                break
        if found is None and down is not None:
            raise AuthUnavailable() from down
        fake = self._fake.keys(credentials.username, credentials.mechanism)
        avatar_id, keys = found or (b"", fake)
        if await credentials.prove(keys) and found is not None:
            return avatar_id
        raise UnauthorizedLogin()

    def _down(self, checker: object, fault: Exception) -> Exception:
        log.failure("{checker} cannot be asked", checker=type(checker).__name__)
        return fault
