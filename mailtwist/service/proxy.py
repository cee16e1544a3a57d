"""The PROXY protocol (versions 1 and 2) in front of servers that speak first.

Twisted's own wrapper connects the inner protocol at once, so that a mail server would
greet, and judge, the proxy.  Here the inner protocol is made when the header is read.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

log = Logger()

HEADER_S = 10.0  # a proxy sends its header at once
MOST_HEADER = 4096  # octets; version 2 with generous TLVs


class ProxyProtocol(ProtocolWrapper):
    """Reads one header, then is a transparent wrapper with the client's address."""

    def __init__(self, factory: ProxyProtocolFactory) -> None:
        super().__init__(factory, Protocol())
        self._info: Any = None
        self._held = b""

    def makeConnection(self, transport: Any) -> None:
        self._outer = transport
        Protocol.makeConnection(self, transport)
        self._late = self.factory.reactor.callLater(HEADER_S, self._refuse, "no header")

    def dataReceived(self, data: bytes) -> None:
        if self._info is not None:
            self.wrappedProtocol.dataReceived(data)
            return
        self._held += data
        try:
            read = self._read_header()
        except (InvalidProxyHeader, ValueError) as fault:
            self._refuse(str(fault) or "bad header")
            return
        if read is None:
            if len(self._held) > MOST_HEADER:
                self._refuse("header too long")
            return
        self._info, rest = read
        self._held = b""
        self._late.cancel()
        self._connect(rest)

    def _read_header(self) -> tuple[Any, bytes] | None:
        """(info, what follows), None if more must come, or InvalidProxyHeader."""
        held = self._held
        if V2Parser.PREFIX.startswith(held[:12]):
            if len(held) < 16:
                return None
            if held[12] & 0xF0 != 0x20:
                raise InvalidProxyHeader()
            parser: Any = V2Parser()
        elif V1Parser.PROXYSTR.startswith(held[:5]):
            if b"\r\n" not in held:
                return None
            parser = V1Parser()
        else:
            raise InvalidProxyHeader()
        info, rest = parser.feed(held)
        return None if info is None else (info, rest)

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
        log.warn("PROXY header from {peer}: {why}", peer=self._outer.getPeer(), why=why)
        if self._late.active():
            self._late.cancel()
        self._outer.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._late.active():
            self._late.cancel()
        if self._info is not None:
            super().connectionLost(reason)

    def getPeer(self) -> Any:
        source = self._info and self._info.source
        return source or self._outer.getPeer()

    def getHost(self) -> Any:
        destination = self._info and self._info.destination
        return destination or self._outer.getHost()


class ProxyProtocolFactory(WrappingFactory["ProxyProtocol"]):
    """Wraps a factory whose peers are behind a proxy."""

    def __init__(self, reactor: Any, wrapped: Any) -> None:
        super().__init__(wrapped)
        self.reactor = reactor

    def buildProtocol(self, addr: Any) -> ProxyProtocol:
        return ProxyProtocol(self)
