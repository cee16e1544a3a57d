"""Credentials of cred that carry our exchanges."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable

from attrs import frozen
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from zope.interface import implementer

from ..errors import AuthFailed
from ..interfaces import IScramCredentials
from ..sasl.model import ScramKeys
from ..sasl.proof import DigestProof
from ..sasl.scram import ScramServer
from ..secret import Secret

Converse = Callable[[bytes], Awaitable[bytes]]


@implementer(IUsernamePassword)
@frozen
class PasswordCredentials:
    """`username` as octets, as checkers of other people expect; no repr shows more."""

    username: bytes
    secret: Secret

    @property
    def password(self) -> bytes:
        return self.secret.reveal()

    def checkPassword(self, password: bytes) -> bool:
        return hmac.compare_digest(self.secret.reveal(), password)


@implementer(IUsernameHashedPassword)
@frozen
class CramMd5Credentials:
    """A CRAM-MD5 answer, which a checker that holds the password can judge."""

    proof: DigestProof

    @property
    def username(self) -> bytes:
        return self.proof.username.encode()

    def checkPassword(self, password: bytes) -> bool:
        want = hmac.digest(password, self.proof.challenge, "md5").hex().encode()
        return hmac.compare_digest(want, self.proof.digest)


@implementer(IUsernameHashedPassword)
@frozen
class ApopCredentials:
    """APOP (RFC 1939 §7): MD5 of the greeting's timestamp and the password."""

    username: bytes
    timestamp: bytes
    digest: bytes

    def checkPassword(self, password: bytes) -> bool:
        want = hashlib.md5(self.timestamp + password, usedforsecurity=False)
        return hmac.compare_digest(want.hexdigest().encode(), self.digest.lower())


@implementer(IScramCredentials)
class ScramCredentials:
    """A SCRAM exchange whose first message has come; `prove` says the rest of it."""

    def __init__(self, mechanism: str, server: ScramServer, username: str) -> None:
        self.mechanism, self.username = mechanism, username
        self._server = server
        self._converse: Converse | None = None

    def over(self, converse: Converse) -> ScramCredentials:
        self._converse = converse
        return self

    async def prove(self, keys: ScramKeys) -> bool:
        if self._converse is None:
            raise RuntimeError("prove() before over()")
        final = await self._converse(self._server.server_first(keys))
        try:
            answer = self._server.client_final(final)
        except AuthFailed:
            return False
        await self._converse(answer)  # the client checks it and says nothing more
        return True
