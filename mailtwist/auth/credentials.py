"""Credentials of cred that carry our exchanges."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.cred.credentials import (
    ICredentials,
    IUsernameHashedPassword,
    IUsernamePassword,
)
from zope.interface import Attribute, implementer

from ..errors import AuthFailed, SyntaxFault
from ..interfaces import IScramCredentials
from ..sasl.digest_md5 import DigestMd5Server
from ..sasl.model import ScramKeys
from ..sasl.proof import DigestProof
from ..sasl.scram import ScramServer
from ..secret import Secret

Converse = Callable[[bytes], Awaitable[bytes]]


@frozen
class Door:
    """Where somebody knocks: sources and accounts may be for some doors only.

    `listener` is the name of the listener in the configuration, if it has one;
    `address` the client's, for those who look at it.
    """

    protocol: str = ""
    listener: str = ""
    address: str = ""


def text_of(name: Any) -> str:
    """A user name of credentials: octets for some checkers of others, text for some."""
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


@implementer(IUsernamePassword)
@frozen
class PasswordCredentials:
    """`username` as octets, as checkers of other people expect; no repr shows more."""

    username: bytes
    secret: Secret
    door: Door = Door()

    @property
    def password(self) -> bytes:
        return self.secret.reveal()

    def checkPassword(self, password: bytes) -> bool:
        return hmac.compare_digest(self.secret.reveal(), password)


@implementer(IUsernameHashedPassword)
@frozen
class CramMd5Credentials:
    """A CRAM-MD5 answer, which a checker that holds the password can judge."""

    username: bytes
    proof: DigestProof
    door: Door = Door()

    def checkPassword(self, password: bytes) -> bool:
        want = hmac.digest(password, self.proof.challenge, "md5").hex().encode()
        return hmac.compare_digest(want, self.proof.digest)


@implementer(IUsernameHashedPassword)
@define
class DigestMd5Credentials:
    """A DIGEST-MD5 answer; a checker that judged it right leaves our proof behind."""

    username: bytes
    server: DigestMd5Server
    converse: Converse
    door: Door = Door()
    rspauth: bytes | None = field(default=None, repr=False)

    def checkPassword(self, password: bytes) -> bool:
        self.rspauth = self.server.rspauth(password)
        return self.rspauth is not None

    async def agree(self) -> None:
        """Show the client that we know its password too (RFC 2831 §2.1.3).

        Raises SyntaxFault, and what the conversation ends in."""
        if self.rspauth is None or await self.converse(self.rspauth):
            raise SyntaxFault("an empty response", 0)


@implementer(IUsernameHashedPassword)
@frozen
class ApopCredentials:
    """APOP (RFC 1939 §7): MD5 of the greeting's timestamp and the password."""

    username: bytes
    timestamp: bytes
    digest: bytes
    door: Door = Door()

    def checkPassword(self, password: bytes) -> bool:
        want = hashlib.md5(self.timestamp + password, usedforsecurity=False)
        return hmac.compare_digest(want.hexdigest().encode(), self.digest.lower())


@implementer(IScramCredentials)
@frozen
class ScramCredentials:
    """A SCRAM exchange whose first message has come; `prove` says the rest of it."""

    mechanism: str
    username: str
    server: ScramServer
    converse: Converse
    door: Door = Door()

    async def prove(self, keys: ScramKeys) -> bool:
        """True if the client's proof fits; it was then told ours and agreed.

        Raises SyntaxFault, and what the conversation ends in.
        """
        final = await self.converse(self.server.server_first(keys))
        try:
            answer = self.server.client_final(final)
        except AuthFailed:
            return False
        if await self.converse(answer):  # RFC 4422 §3.7: the client has nothing to add
            raise SyntaxFault("an empty response", 0)
        return True


class IVouchedCredentials(ICredentials):
    """A login that somebody else vouches for: a CA, a provider of tokens, a KDC."""

    username: str = Attribute("Whom the client wants to be; empty for whoever it is.")
    read_only: bool = Attribute("True if the login changes no mail.")

    async def identities() -> Sequence[str]:
        """Names of whom it is proved to be, the best first; accounts or none.

        Raises AuthFailed, AuthUnavailable, and what the conversation ends in."""


async def silent() -> None:
    """Most mechanisms have nothing to say before they fail."""


@implementer(IVouchedCredentials)
@frozen
class VouchedCredentials:
    """A login without a password; `proved` says whom the client has proved to be.

    `refuse` is what is told to the client before a login that failed is answered.
    Who is `read_only` changes no mail.
    """

    username: str
    proved: Callable[[], Awaitable[Sequence[str]]]
    door: Door = Door()
    refuse: Callable[[], Awaitable[object]] = silent
    read_only: bool = False

    async def identities(self) -> Sequence[str]:
        return await self.proved()
