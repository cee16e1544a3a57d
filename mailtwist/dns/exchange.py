"""One question to one server: over UDP, and over TCP if the reply was cut.

Each question has a socket of its own, connected to the server: the system picks a
random port and lets nothing through from anywhere else (RFC 5452 §9).
"""

from __future__ import annotations

import secrets
import socket
import struct
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .servers import Server
from .wire import FORMERR, NOTIMP, BadReply, Question, Reply, decode, encode

Got = TypeVar("Got")
MOST_DATAGRAM = 65535
MOST_STRAYS = 100  # datagrams that are no reply, before we stop listening


class NoReply(Exception):
    """The server did not answer in time, or not what was asked."""


_UNREACHABLE = (
    TimeoutError,
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


@implementer(IReadDescriptor)
class _Asking:
    """A socket for one query; Twisted's own UDP port would log each opening."""

    def __init__(
        self, server: Server, octets: bytes, question: Question, number: int
    ) -> None:
        self._server, self._octets = server, octets
        self._question, self._number = question, number
        self._strays = 0
        self._answer: Deferred[Reply] = Deferred(self._cancelled)

    def begin(self, reactor: Any) -> Deferred[Reply]:
        """The reply; cancel it to give up.  Raises OSError."""
        family = socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET
        self._reactor = reactor
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect(self._server)
            self._socket.send(self._octets)
        except OSError:
            self._socket.close()
            raise
        reactor.addReader(self)
        return self._answer

    def logPrefix(self) -> str:
        return "dns"

    def fileno(self) -> int:
        return self._socket.fileno()

    def doRead(self) -> None:
        try:
            datagram = self._socket.recv(MOST_DATAGRAM)
        except BlockingIOError:
            return
        except OSError as fault:  # refused: nobody listens there
            self._end(Failure(fault))
            return
        try:
            reply = decode(datagram, self._question, self._number)
        except BadReply as fault:
            self._strays += 1
            if self._strays >= MOST_STRAYS:
                self._end(Failure(fault))
            return
        self._end(reply)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor found the socket broken, or stops."""
        self._end(reason)

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
        self._reactor.removeReader(self)
        self._socket.close()


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
    factory = Factory.forProtocol(lambda: _Stream(octets))
    factory.noisy = False
    stream: Any = await kind(reactor, *server, timeout=left_s).connect(factory)
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
