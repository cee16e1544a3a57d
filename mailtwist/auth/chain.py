"""Checkers joined in a chain; cred keeps only one for each credentials interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import AuthFailed, AuthUnavailable, MailError
from ..interfaces import IScramCredentials, IScramSource
from ..sasl.model import ScramKeys
from .fake import FakeKeys

log = Logger()

AvatarId = bytes | tuple[()]


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

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        """The avatar ID.  Fails with UnauthorizedLogin if all said no, AuthUnavailable
        if one of them could not say."""
        if IScramCredentials.providedBy(credentials):
            return Deferred.fromCoroutine(self._scram(credentials))
        return Deferred.fromCoroutine(self._first(credentials))

    async def _first(self, credentials: Any) -> AvatarId:
        down: Exception | None = None
        for checker in self.checkers:
            if not any(i.providedBy(credentials) for i in checker.credentialInterfaces):
                continue
            try:
                ask: Any = checker.requestAvatarId
                avatar_id: AvatarId = await maybeDeferred(ask, credentials)
                return avatar_id
            except (LoginFailed, AuthFailed):
                continue
            except CancelledError:  # the client is gone
                raise
            except Exception as fault:
                down = self._down(checker, fault)
        if down is not None:
            raise AuthUnavailable() from down
        raise UnauthorizedLogin()

    async def _scram(self, credentials: IScramCredentials) -> AvatarId:
        found = await self._keys(credentials.username, credentials.mechanism)
        try:
            fake = self._fake.keys(credentials.username, credentials.mechanism)
        except Exception as fault:
            if found is None:
                raise AuthUnavailable() from self._down(self._fake, fault)
        else:
            found = found or (b"", fake)
        avatar_id, keys = found
        # An empty avatar ID is nobody: the proof of fake keys counts for nothing.
        if await credentials.prove(keys) and avatar_id:
            return avatar_id
        raise UnauthorizedLogin()

    async def _keys(
        self, username: str, mechanism: str
    ) -> tuple[bytes, ScramKeys] | None:
        """From the first source that has some; raises AuthUnavailable."""
        down: Exception | None = None
        for checker in self.checkers:
            if not IScramSource.providedBy(checker):
                continue
            try:
                found: tuple[bytes, ScramKeys] | None = await checker.scram_keys(
                    username, mechanism
                )
            except CancelledError:
                raise
            except Exception as fault:
                down = self._down(checker, fault)
                continue
            if found is not None:
                return found
        if down is not None:
            raise AuthUnavailable() from down
        return None

    @staticmethod
    def _down(asked: object, fault: Exception) -> Exception:
        name = type(asked).__name__
        if isinstance(fault, MailError):  # it said why by itself
            log.warn("{name} cannot be asked: {why}", name=name, why=fault.public)
        else:
            log.failure("{name} cannot be asked", name=name)
        return fault
