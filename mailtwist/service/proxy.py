"""The PROXY protocol (versions 1 and 2) in front of servers that speak first.

Twisted's own wrapper connects the inner protocol at once, so that a mail server would
greet, and judge, the proxy.  Here the inner protocol is made when the header is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from .proxy_header import Header, read

log = Logger()

HEADER_S = 10.0  # a proxy sends its header at once


class ProxyProtocol(ProtocolWrapper):
    """Reads one header, then is a transparent wrapper with the client's address."""

    def __init__(self, factory: ProxyProtocolFactory) -> None:
        super().__init__(factory, Protocol())
        self._header: Header | None = None
        self._held = b""

    def makeConnection(self, transport: Any) -> None:
        self._outer = transport
        Protocol.makeConnection(self, transport)
        self._late = self.factory.reactor.callLater(HEADER_S, self._refuse, "no header")

    def dataReceived(self, data: bytes) -> None:
        if self._header is not None:
            self.wrappedProtocol.dataReceived(data)
            return
        self._held += data
        try:
            header = read(self._held)
        except ValueError as fault:
            self._refuse(str(fault))
            return
        if header is None:
            return
        rest, self._held = self._held[header.octets :], b""
        self._header = header
        self._late.cancel()
        self._connect(rest)

    def _connect(self, rest: bytes) -> None:
        inner = self.factory.wrappedFactory.buildProtocol(self.getPeer())
        if inner is None:
            self._outer.abortConnection()
            return
        self.wrappedProtocol = inner
        ProtocolWrapper.makeConnection(self, self._outer)
        if rest:
            inner.dataReceived(rest)

    def _refuse(self, why: str) -> None:
        peer = self._outer.getPeer()
        log.warn(
            "no PROXY header from {peer}: {why}",
            peer=getattr(peer, "host", "local"),
            why=why,
        )
        if self._late.active():
            self._late.cancel()
        self._outer.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._late.active():
            self._late.cancel()
        if self._header is not None:
            super().connectionLost(reason)

    def getPeer(self) -> Any:
        source = self._header and self._header.source
        return source or self._outer.getPeer()

    def getHost(self) -> Any:
        destination = self._header and self._header.destination
        return destination or self._outer.getHost()


if TYPE_CHECKING:
    _Factory = WrappingFactory[ProxyProtocol]
else:
    _Factory = WrappingFactory  # before Twisted 25 it takes no parameter


class ProxyProtocolFactory(_Factory):
    """Wraps a factory whose peers are behind a proxy."""

    noisy = False

    def __init__(self, reactor: Any, wrapped: Any) -> None:
        super().__init__(wrapped)
        self.reactor = reactor

    def logPrefix(self) -> str:
        return f"{self.wrappedFactory.logPrefix()} behind a proxy"

    def buildProtocol(self, addr: Any) -> ProxyProtocol:
        return ProxyProtocol(self)
