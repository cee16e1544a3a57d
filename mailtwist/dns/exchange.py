"""One question to one server: over UDP, and over TCP if the reply was cut.

Each question has a socket of its own, connected to the server: the system picks a
random port and lets nothing through from anywhere else (RFC 5452 §9).
"""

from __future__ import annotations

import secrets
import struct
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    connectProtocol,
)
from twisted.internet.error import CannotListenError, ConnectError, ConnectionClosed
from twisted.internet.protocol import DatagramProtocol, Protocol, connectionDone
from twisted.python.failure import Failure

from .servers import Server
from .wire import FORMERR, NOTIMP, BadReply, Question, Reply, decode, encode

Got = TypeVar("Got")
MOST_STRAYS = 100  # datagrams that are no reply, before we stop listening


class NoReply(Exception):
    """The server did not answer in time, or not what was asked."""


_UNREACHABLE = (
    TimeoutError,
    CannotListenError,
    ConnectError,
    ConnectionClosed,
    BadReply,
    OSError,
)


async def ask(
    reactor: Any, server: Server, question: Question, *, limit_s: float, dnssec: bool
) -> Reply:
    """The reply of `server` within `limit_s` seconds, whole.  Raises NoReply.

    A server that does not know EDNS is asked again without (RFC 6891 §7).
    """
    end = reactor.seconds() + limit_s
    try:
        for edns in (True, False):
            number = secrets.randbelow(2**16)
            octets = encode(question, number, edns=edns, dnssec=dnssec)
            asking = _Asking(server, octets, question, number)
            reply = await _within(asking.begin(reactor), reactor, end)
            if reply.truncated:
                reply = await _over_tcp(reactor, server, octets, question, number, end)
            if reply.rcode not in (FORMERR, NOTIMP):
                break
    except _UNREACHABLE as fault:
        raise NoReply(f"{server[0]}: {fault or type(fault).__name__}") from fault
    return reply


async def _within(work: Deferred[Got], reactor: Any, end: float) -> Got:
    work.addTimeout(max(end - reactor.seconds(), 0), reactor)
    return await work


class _Asking(DatagramProtocol):
    """A socket for one query."""

    noisy = False

    def __init__(
        self, server: Server, octets: bytes, question: Question, number: int
    ) -> None:
        self._server, self._octets = server, octets
        self._question, self._number = question, number
        self._strays = 0
        self._port: Any = None
        self._answer: Deferred[Reply] = Deferred(self._cancelled)

    def begin(self, reactor: Any) -> Deferred[Reply]:
        """The reply; cancel it to give up."""
        any_address = "::" if ":" in self._server[0] else ""
        self._port = reactor.listenUDP(0, self, any_address)
        try:
            self._port.connect(*self._server)
            self._port.write(self._octets)
        except OSError as fault:  # no way to that network
            self._end(Failure(fault))
        return self._answer

    def datagramReceived(self, datagram: bytes, _: object) -> None:
        try:
            reply = decode(datagram, self._question, self._number)
        except BadReply as fault:
            self._strays += 1
            if self._strays >= MOST_STRAYS:
                self._end(Failure(fault))
            return
        self._end(reply)

    def connectionRefused(self) -> None:
        self._end(Failure(ConnectError(string="refused")))

    def _end(self, result: Reply | Failure) -> None:
        if self._answer.called:
            return
        self._close()
        if isinstance(result, Failure):
            self._answer.errback(result)
        else:
            self._answer.callback(result)

    def _cancelled(self, _: object) -> None:
        self._close()

    def _close(self) -> None:
        self._port.stopListening()


async def _over_tcp(
    reactor: Any,
    server: Server,
    octets: bytes,
    question: Question,
    number: int,
    end: float,
) -> Reply:
    kind: Any = TCP6ClientEndpoint if ":" in server[0] else TCP4ClientEndpoint
    left_s = max(end - reactor.seconds(), 0.001)
    endpoint = kind(reactor, *server, timeout=left_s)
    stream: _Stream = await connectProtocol(endpoint, _Stream(octets))
    try:
        whole = await _within(stream.reply, reactor, end)
    finally:
        stream.close()
    return decode(whole, question, number)


class _Stream(Protocol):
    """One query over TCP: two octets of length, then the message (RFC 1035 §4.2.2)."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self._received = octets, b""
        self.reply: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(struct.pack("!H", len(self._octets)) + self._octets)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if len(self._received) < 2:
            return
        (length,) = struct.unpack_from("!H", self._received)
        if len(self._received) >= length + 2 and not self.reply.called:
            self.reply.callback(self._received[2 : length + 2])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.reply.called:
            self.reply.errback(reason)

    def close(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()
