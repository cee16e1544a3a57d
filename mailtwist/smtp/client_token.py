"""Access tokens for XOAUTH2, got with a refresh token (RFC 6749 §6)."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlencode

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import FileBodyProducer, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from ..errors import MailError
from ..secret import Secret

log = Logger()

REQUEST_S = 30.0  # for the whole answer
MOST_ANSWER = 64 * 1024  # octets
EARLY_S = 60.0  # a token is given up this long before it ends
DEFAULT_S = 3600.0  # where the answer does not tell how long a token lives


class NoToken(MailError):
    status, public = "4.7.0", "No access token for the smarthost was to be had"


class Tokens:
    """The tokens of one login; one request at a time, whoever waits for it.

    `agent` speaks HTTPS and checks certificates; `form` is what the server asks for,
    `client_id` and `refresh_token` among it."""

    def __init__(
        self, reactor: Any, agent: IAgent, url: str, form: dict[str, Secret]
    ) -> None:
        self._reactor, self._agent, self._url, self._form = reactor, agent, url, form
        self._token: Secret | None = None
        self._until_s = 0.0
        self._waiting: list[Deferred[None]] = []
        self._asking = False

    async def token(self, *, fresh: bool = False) -> Secret:
        """A token that is good for a while; `fresh` forgets the one at hand.

        Raises NoToken."""
        if fresh:
            self._token = None
        if self._asking:  # whoever asked already asks for us too
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        elif self._token is None or self._reactor.seconds() >= self._until_s:
            await self._ask()
        if self._token is None:
            raise NoToken()
        return self._token

    async def _ask(self) -> None:
        self._asking, self._token = True, None
        try:
            self._token, lives_s = await self._asked()
            self._until_s = self._reactor.seconds() + lives_s - EARLY_S
        finally:
            self._asking = False
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                one.callback(None)

    async def _asked(self) -> tuple[Secret, float]:
        form = {name: secret.reveal() for name, secret in self._form.items()}
        body = urlencode({"grant_type": "refresh_token", **form}).encode()
        headers = Headers(
            {
                "Content-Type": ["application/x-www-form-urlencoded"],
                "Accept": ["application/json"],
            }
        )
        asking = Deferred.fromCoroutine(self._exchange(headers, body))
        timer = self._reactor.callLater(REQUEST_S, asking.cancel)
        try:
            code, octets = await asking
        except CancelledError:
            if timer.active():  # we are not wanted any more
                raise
            raise NoToken(f"{self._url} did not answer in time") from None
        except MailError:
            raise
        except Exception as fault:  # the network, TLS, HTTP: whatever Agent raises
            log.error("no token from {url}: {why}", url=self._url, why=_why(fault))
            raise NoToken(f"{self._url} could not be asked for a token") from None
        finally:
            if timer.active():
                timer.cancel()
        return self._read(code, octets)

    async def _exchange(self, headers: Headers, body: bytes) -> tuple[int, bytes]:
        producer = FileBodyProducer(BytesIO(body))
        response = await self._agent.request(
            b"POST", self._url.encode(), headers, producer
        )
        gathered: Deferred[bytes] = Deferred()
        response.deliverBody(_Gather(gathered))
        return cast(int, response.code), await gathered

    def _read(self, code: int, octets: bytes) -> tuple[Secret, float]:
        try:
            told = json.loads(octets)
            if code == 200:
                lives_s = float(told.get("expires_in", DEFAULT_S))
                return Secret(told["access_token"].encode("ascii")), lives_s
            why = str(told.get("error", ""))[:100]
        except (ValueError, KeyError, TypeError, AttributeError):
            why = "an answer that is no token"
        log.error(
            "{url} gives no token, mail waits: {code} {why}",
            url=self._url,
            code=code,
            why=why,
        )
        raise NoToken(f"{self._url} gives no token: {code}")


def _why(fault: Exception) -> str:
    """A fault of Agent in words; it may hold the faults of several tries."""
    reasons = getattr(fault, "reasons", None)
    if reasons:
        return "; ".join(reason.getErrorMessage() for reason in reasons)
    return str(fault) or type(fault).__name__


class _Gather(Protocol):
    """The octets of an answer, not too many."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done, self._octets = done, b""

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > MOST_ANSWER and self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ResponseDone) and len(self._octets) <= MOST_ANSWER:
            self._done.callback(self._octets)
        elif not self._done.called:
            self._done.errback(NoToken("The answer with the token was cut off"))
