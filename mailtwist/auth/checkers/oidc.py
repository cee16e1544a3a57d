"""Tokens of an OpenID provider: judged by its keys, or by asking it (RFC 7662)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from ...config.vouching import Oidc
from ...errors import AuthFailed, AuthUnavailable
from ...queue.https import Body
from ...secret import Secret
from .token_claims import UnknownKey, judged, key_set, names

log = Logger("mailtwist")

MOST_ANSWER = 256 * 1024  # octets
REST_S = 10.0  # between two requests for keys that were not due
WELL_KNOWN = "/.well-known/openid-configuration"


class Provider:
    """One provider.  `agent` speaks HTTPS and checks certificates; `now` gives seconds
    since the epoch; `secret` is the password for introspection."""

    def __init__(
        self,
        reactor: Any,
        agent: IAgent,
        config: Oidc,
        secret: Secret,
        now: Callable[[], float],
    ) -> None:
        self._reactor, self._agent, self._config = reactor, agent, config
        self._secret, self._now = secret, now
        self._keys: jwt.PyJWKSet | None = None
        self._fetched_s = self._asked_s = float("-inf")
        self._reached = False  # by the last request for keys
        self._waiting: list[Deferred[None]] | None = None  # for the one under way

    async def judge(self, token: Secret) -> Sequence[str]:
        """Names of the token's bearer.  Raises AuthFailed, AuthUnavailable."""
        if self._config.introspection:
            return names(await self._introspected(token), self._config)
        old = self._reactor.seconds() - self._fetched_s >= self._config.keys_s
        if self._keys is None or old:
            await self._refresh()
        try:
            return names(self._judged(token), self._config)
        except UnknownKey:
            await self._refresh()
            if not self._reached:  # it may be a new key: nobody tells
                raise AuthUnavailable() from None
        return names(self._judged(token), self._config)

    def _judged(self, token: Secret) -> Any:
        if self._keys is None:
            raise AuthUnavailable()
        return judged(token.reveal(), self._keys, self._config)

    # -- keys -----------------------------------------------------------------

    async def _refresh(self) -> None:
        """New keys if they can be had and were not asked for a moment ago.

        One request serves all who wait, and none of them may end it."""
        if self._waiting is None:
            if self._reactor.seconds() - self._asked_s < REST_S:
                return
            self._waiting = []
            Deferred.fromCoroutine(self._fetch())
        if self._waiting is not None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    async def _fetch(self) -> None:
        self._asked_s, self._reached = self._reactor.seconds(), False
        try:
            url = self._config.keys or await self._place_of_keys()
            self._keys = key_set(await self._asked(b"GET", url))
            self._fetched_s, self._reached = self._asked_s, True
        except (AuthUnavailable, ValueError, KeyError, TypeError) as fault:
            log.error("no keys of {issuer}: {why}", issuer=self._issuer, why=str(fault))
        finally:
            waiting, self._waiting = self._waiting or [], None
            for one in waiting:
                if not one.called:  # by its own cancellation
                    one.callback(None)

    async def _place_of_keys(self) -> str:
        """OpenID Connect Discovery §4; raises ValueError, KeyError, AuthUnavailable."""
        told = json.loads(await self._asked(b"GET", self._issuer + WELL_KNOWN))
        if told["issuer"] != self._config.issuer:
            raise ValueError(f"it calls itself {told['issuer']!r:.80}")
        url = told["jwks_uri"]
        if not isinstance(url, str) or urlsplit(url).scheme != "https":
            raise ValueError("its keys are not at an https URL")
        return url

    @property
    def _issuer(self) -> str:
        return self._config.issuer.rstrip("/")

    # -- introspection --------------------------------------------------------

    async def _introspected(self, token: Secret) -> dict[str, Any]:
        """What the provider says of a token; raises AuthFailed, AuthUnavailable."""
        form = {"token": token.reveal(), "token_type_hint": "access_token"}
        client = f"{quote(self._config.client_id)}:".encode()
        login = client + quote(self._secret.reveal()).encode()
        octets = await self._asked(
            b"POST",
            self._config.introspection,
            urlencode(form).encode(),
            {
                "authorization": "Basic " + b64encode(login).decode(),
                "content-type": "application/x-www-form-urlencoded",
            },
        )
        try:
            told = json.loads(octets)
            active = told["active"] is True
            ends_s = float(told.get("exp", "inf"))
        except (ValueError, KeyError, TypeError) as fault:
            log.error("{issuer} says nothing of a token", issuer=self._issuer)
            raise AuthUnavailable() from fault
        if not active or ends_s + self._config.leeway_s <= self._now():
            raise AuthFailed("Token not active")
        if told.get("iss", self._config.issuer) != self._config.issuer:
            raise AuthFailed("Token of another provider")
        wanted, found = self._config.audience, told.get("aud", ())
        found = (found,) if isinstance(found, str) else found
        if wanted and not set(wanted).intersection(found):
            raise AuthFailed("Token for somebody else")
        answer: dict[str, Any] = told
        return answer

    # -- the wire -------------------------------------------------------------

    async def _asked(
        self,
        method: bytes,
        url: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """Raises AuthUnavailable for whatever is not a whole answer in time."""
        asking = Deferred.fromCoroutine(self._exchange(method, url, body, headers))
        late: list[bool] = []
        timer = self._reactor.callLater(
            self._config.timeout_s, _give_up, asking.cancel, late
        )
        try:
            return await asking
        except CancelledError:
            if not late:  # we are not wanted any more
                raise
            raise AuthUnavailable(f"{url} did not answer in time") from None
        except AuthUnavailable:
            raise
        except Exception as fault:  # the network, TLS, HTTP: whatever Agent raises
            reasons = getattr(fault, "reasons", None) or [fault]
            why = "; ".join(str(getattr(one, "value", one)) for one in reasons)
            raise AuthUnavailable(f"{url}: {why}") from fault
        finally:
            if timer.active():
                timer.cancel()

    async def _exchange(
        self, method: bytes, url: str, body: bytes | None, headers: Any
    ) -> bytes:
        lines = Headers({"accept": ["application/json"]})
        for name, value in (headers or {}).items():
            lines.setRawHeaders(name, [value])
        producer = None if body is None else Body(body)
        response: Any = await self._agent.request(method, url.encode(), lines, producer)
        gathered: Deferred[bytes] = Deferred(lambda _: reader.stop())
        reader = _Gather(gathered)
        response.deliverBody(reader)
        octets = await gathered
        if response.code != 200:
            raise AuthUnavailable(f"{url}: status {response.code}")
        return octets


def _give_up(cancel: Callable[[], None], late: list[bool]) -> None:
    late.append(True)
    cancel()


class _Gather(Protocol):
    """A body of at most MOST_ANSWER octets."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done, self._octets = done, b""

    def stop(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > MOST_ANSWER:
            self.stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._done.called:
            return
        if reason.check(ResponseDone) and len(self._octets) <= MOST_ANSWER:
            self._done.callback(self._octets)
        else:
            self._done.errback(AuthUnavailable("the answer was cut off"))
