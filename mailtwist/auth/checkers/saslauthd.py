"""Checks passwords by a running saslauthd of Cyrus SASL.

A request is user, password, service and realm, each with its length in two octets
before it; the answer one such text that begins with OK or NO.  One connection each.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ...config.source import Source
from ...errors import SourceDown, SystemBusy
from ...sasl.text import MOST_PASSWORD
from ..credentials import Door, text_of
from ..names import address_of
from .system import service_at

SOCKET = "/run/saslauthd/mux"
MOST_NAME = 256  # of user, service and realm: more is not taken by saslauthd
MOST_ANSWER = 1024
MOST_WAITING = 200  # for each connection


class NoAnswer(Exception):
    """What saslauthd did instead of an answer; never with a secret in it."""


def request(user: bytes, password: bytes, service: bytes, realm: bytes) -> bytes:
    """Raises ValueError for what saslauthd does not take."""
    texts = (user, password, service, realm)
    if any(b"\0" in text or len(text) > MOST_NAME for text in texts):
        raise ValueError("not for saslauthd")
    return b"".join(len(text).to_bytes(2) + text for text in texts)


class Exchange(Protocol):
    """One request, one answer."""

    transport: Any = None

    def __init__(self, asked: bytes) -> None:
        self._asked, self._heard = asked, b""
        self.answer: Deferred[bytes] = Deferred(lambda _: self._end())

    def connectionMade(self) -> None:
        self.transport.write(self._asked)
        self._asked = b""

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        length = int.from_bytes(self._heard[:2])
        if len(self._heard) >= 2 and length > MOST_ANSWER:
            self._tell(Failure(NoAnswer("its answer is too long")))
        elif len(self._heard) >= 2 + length and len(self._heard) >= 2:
            self._tell(self._heard[2 : 2 + length])

    def connectionLost(self, reason: Any = None) -> None:
        self._tell(Failure(NoAnswer("it closed without an answer")))

    def _tell(self, result: Any) -> None:
        if not self.answer.called:
            self.answer.callback(result)
        self._end()

    def _end(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()


@implementer(ICredentialsChecker)
class SaslauthdChecker:
    """It has passwords only: the account is one of another source."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, reactor: Any, source: Source, default_domain: str) -> None:
        self._source, self._default_domain = source, default_domain
        self._endpoint = UNIXClientEndpoint(
            reactor, source.path or SOCKET, source.timeout_s
        )
        self._turns = DeferredSemaphore(source.threads)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:
        """Raises UnauthorizedLogin, SourceDown, SystemBusy."""
        name = text_of(credentials.username)
        address = address_of(name, self._default_domain)
        if address is None or not 0 < len(credentials.password) <= MOST_PASSWORD:
            raise UnauthorizedLogin()
        realm = "" if self._source.names == "local" else address.domain
        service = service_at(self._source.service, getattr(credentials, "door", Door()))
        try:
            asked = request(
                address.local_part.encode(),
                credentials.password,
                service.encode(),
                realm.encode(),
            )
        except ValueError:
            raise UnauthorizedLogin() from None
        answer = await self._answer(asked)
        if answer.startswith(b"OK"):
            return str(address).encode()
        if answer.startswith(b"NO"):
            raise UnauthorizedLogin()
        raise SourceDown() from NoAnswer("its answer is neither OK nor NO")

    async def _answer(self, asked: bytes) -> bytes:
        if len(self._turns.waiting) >= MOST_WAITING * self._source.threads:
            raise SystemBusy()
        await self._turns.acquire()
        try:
            exchange = Exchange(asked)
            factory = Factory.forProtocol(lambda: exchange)
            factory.noisy = False
            connecting: Any = self._endpoint.connect(factory)
            await connecting
            return await exchange.answer
        except (ConnectError, NoAnswer) as fault:
            raise SourceDown() from fault
        except ConnectingCancelledError as fault:
            raise CancelledError() from fault
        finally:
            self._turns.release()
