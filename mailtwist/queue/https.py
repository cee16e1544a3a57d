"""HTTPS to the hosts of other domains, by our own resolver: certificates checked, no
redirects followed, little read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import crypto
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone, ResponseFailed
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer

from ..directory.reread import Reread
from ..errors import ConfigError, DnsUnavailable, NoSuchDomain
from ..interfaces import IResolver

PORT = 443
LIMIT_S = 60.0  # for all of it (RFC 8461 §3.3 asks for a minute)
MOST_OCTETS = 64 * 1024
USER_AGENT = b"mailtwist"

_FAULTS = (
    TimeoutError,
    ConnectError,
    ConnectionClosed,
    ResponseFailed,
    SchemeNotSupported,
    DnsUnavailable,
    NoSuchDomain,
    OSError,
    ValueError,
)


class HttpsFailed(Exception):
    """Nothing came that may be believed; says why."""


class Https:
    """Requests to strangers' hosts; `usable` tells which addresses may be reached."""

    def __init__(
        self,
        reactor: Any,
        resolver: IResolver,
        *,
        usable: Callable[[str], bool],
        ca: str = "",
        port: int = PORT,
    ) -> None:
        """`ca` is a PEM file of trusted CAs, the system's if empty; `port` the one of
        hosts named without.  Raises ConfigError."""
        self._reactor, self._resolver = reactor, resolver
        self._usable, self._port = usable, port
        self._trusted = Reread(ca, trusted, reactor.seconds)

    async def get(self, url: str) -> tuple[str, bytes]:
        """(media type in lower case, body) of a resource; raises HttpsFailed."""
        response, body = await self._within(b"GET", url, Headers(), None)
        kinds = response.headers.getRawHeaders(b"content-type", [b""])
        kind = kinds[0].partition(b";")[0].strip().lower()
        return kind.decode("latin-1"), body

    async def post(self, url: str, kind: str, octets: bytes) -> None:
        """Send `octets` of media type `kind`; raises HttpsFailed unless 2xx."""
        headers = Headers({b"content-type": [kind.encode()]})
        await self._within(b"POST", url, headers, octets)

    async def _within(
        self, method: bytes, url: str, headers: Headers, octets: bytes | None
    ) -> tuple[Any, bytes]:
        asked = Deferred.fromCoroutine(self._request(method, url, headers, octets))
        asked.addTimeout(LIMIT_S, self._reactor)
        try:
            return await asked
        except _FAULTS as fault:
            raise HttpsFailed(_why(fault)) from fault

    async def _request(
        self, method: bytes, url: str, headers: Headers, octets: bytes | None
    ) -> tuple[Any, bytes]:
        headers.setRawHeaders(b"user-agent", [USER_AGENT])
        body = None if octets is None else Body(octets)
        places = _Places(
            self._reactor, self._resolver, self._usable, self._trusted(), self._port
        )
        agent = Agent.usingEndpointFactory(self._reactor, places)
        try:
            response: Any = await agent.request(method, url.encode(), headers, body)
            if not 200 <= response.code < 300:  # a redirect too (RFC 8461 §3.3)
                raise HttpsFailed(f"status {response.code}")
            reader = _Reader()
            response.deliverBody(reader)
            return response, await reader.done
        finally:
            places.close()


@implementer(IAgentEndpointFactory)
class _Places:
    """Where the host of one request is reached."""

    def __init__(
        self,
        reactor: Any,
        resolver: IResolver,
        usable: Callable[[str], bool],
        trusted: Any,
        port: int,
    ) -> None:
        self._reactor, self._resolver, self._usable = reactor, resolver, usable
        self._trusted, self._port = trusted, port
        self._transports: list[Any] = []

    def close(self) -> None:
        """Cut every connection; one that was closed already does not mind."""
        for transport in self._transports:
            transport.abortConnection()

    def endpointForURI(self, uri: Any) -> Any:
        if uri.scheme != b"https":
            raise SchemeNotSupported("https only")
        named = urlsplit(uri.toBytes()).port
        return _Place(self, uri.host.decode(), named or self._port)

    async def connect(self, host: str, port: int, factory: Any) -> Any:
        """To the first address that can be reached."""
        answer = await self._resolver.addresses(host)
        last: Exception = ConnectError(string=f"{host} has no address to connect to")
        for address in [a for a in answer.records if self._usable(a)]:
            kind: Any = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            options = optionsForClientTLS(host, trustRoot=self._trusted)
            endpoint = wrapClientTLS(options, kind(self._reactor, address, port))
            try:
                protocol: Any = await endpoint.connect(factory)
            except (ConnectError, OSError) as fault:
                last = fault
                continue
            self._transports.append(protocol.transport)
            return protocol
        raise last


class _Place:
    """An endpoint that looks its host up first."""

    def __init__(self, places: _Places, host: str, port: int) -> None:
        self._places, self._host, self._port = places, host, port

    def connect(self, factory: Any) -> Deferred[Any]:
        factory.noisy = False
        work = self._places.connect(self._host, self._port, factory)
        return Deferred.fromCoroutine(work)


@implementer(IBodyProducer)
class Body:
    """Octets of a request, all at once."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self.length = octets, len(octets)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._octets)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def pauseProducing(self) -> None:
        """All of it was written at once."""

    def resumeProducing(self) -> None:
        """All of it was written at once."""

    def stopProducing(self) -> None:
        """All of it was written at once."""


class _Reader(Protocol):
    """A body of at most MOST_OCTETS."""

    def __init__(self) -> None:
        self._octets = b""
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > MOST_OCTETS and not self.done.called:
            self.done.errback(HttpsFailed(f"more than {MOST_OCTETS} octets"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone):
            self.done.callback(self._octets)
        else:
            self.done.errback(HttpsFailed("cut off before its end"))


def trusted(ca: str) -> Any:
    """The CAs of a PEM file, or the system's; raises ConfigError."""
    if not ca:
        return platformTrust()
    try:
        with open(ca, "rb") as file:
            known = load_pem_x509_certificates(file.read())
    except (OSError, ValueError) as fault:
        raise ConfigError(f"CA file {ca}: cannot be used: {fault}") from fault
    made = [Certificate(crypto.X509.from_cryptography(one)) for one in known]
    return trustRootFromCertificates(made)


def _why(fault: Exception) -> str:
    if isinstance(fault, ResponseFailed) and fault.reasons:
        fault = fault.reasons[0].value
    return str(fault) or type(fault).__name__
