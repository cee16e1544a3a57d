"""A connection whose client sends commands and is answered in their order.

Moves octets, awaits answers and minds the clock; engines and sessions know the rules.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..auth.channel import TlsChannel
from ..auth.login import Peer
from ..log import mail_log
from .outflow import Outflow

log = Logger()

MOST_PENDING = 64 * 1024  # octets of pipelined commands held while one is answered
MOST_AT_ONCE = 128  # commands answered before other connections get their turn
STALLED_S = 300.0  # a client that reads nothing for so long is cut off
CLOSE_S = 30.0  # a client that does not take the end is cut off

STOPS = "server stops"


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class DialogueServer(Protocol, ABC):
    """One connection.

    A subclass names its protocol, makes the session and greets (`opened`), answers one
    event (`answer`), and says when the dialogue is over.
    """

    transport: Any
    listener = ""  # its name in the configuration
    protocol_name = ""  # as peers and the log have it
    most_pending = MOST_PENDING

    def __init__(self, factory: Any, engine: Any, most_errors: int) -> None:
        self._factory, self._reactor = factory, factory.reactor
        self._engine: Any = engine
        self._session: Any = None
        self._serving: Deferred[None] | None = None
        self._answered: Deferred[None] | None = None  # waits for a SASL response
        self._errors, self._most_errors = 0, most_errors
        self._why = "connection lost"
        self._reading, self._closing, self._stopping = True, False, False
        self._half_closed = False
        self._closer: Any = None

    # -- what a protocol says ---------------------------------------------------------

    @property
    @abstractmethod
    def patience_s(self) -> float:
        """How long a silent client is waited for."""

    @property
    def stalled_s(self) -> float:
        """How long a client may take nothing of what it asked for."""
        return min(STALLED_S, self.patience_s)

    @abstractmethod
    def opened(self, peer: Peer) -> None:
        """Make the session and greet."""

    @abstractmethod
    async def answer(self, event: Any) -> None:
        """Put the answer into `_out`; count what is wrong in `_errors`."""

    @abstractmethod
    def over(self, event: Any) -> str | None:
        """Why the dialogue is over with the answer to `event`; None if it goes on."""

    def part(self, why: str) -> None:
        """End it for our own reasons."""
        self.finish(why)

    def heard(self, before: object) -> bool:
        """True if a command, answered from the state `before`, is a sign of life."""
        return True

    def told_at_end(self) -> str:
        """What the log says of the session behind why it ended."""
        return ""

    # -- the connection ---------------------------------------------------------------

    def connectionMade(self) -> None:
        with suppress(AttributeError, OSError):  # a Unix socket has none
            self.transport.setTcpNoDelay(True)
        tls = ISSLTransport.providedBy(self.transport) or INegotiated.providedBy(
            self.transport
        )
        host = getattr(self.transport.getPeer(), "host", None)
        peer = Peer(
            host if isinstance(host, str) else "local",
            tls,
            secrets.token_hex(6),
            self.protocol_name,
            self.listener,
            TlsChannel(self.transport) if tls else None,
        )
        self._out = Outflow(
            self.transport, self._reactor, self.stalled_s, self._stalled
        )
        self._idle = self._reactor.callLater(self.patience_s, self._idle_out)
        self._factory.sessions.add(self)
        mail_log.connected(peer.session, self.protocol_name, peer.address, tls)
        self.opened(peer)
        self._out.flush()

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        self._engine.receive(data)
        if self._serving is None:
            self._begin()
            return
        answered, self._answered = self._answered, None
        if answered is not None:
            answered.callback(None)
        elif self._engine.pending > self.most_pending and self._reading:
            self._reading = False
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """The client said all it has to say and still reads: answer, then close."""
        self._half_closed = True
        if self._serving is None or self._answered is not None:
            self.finish("closed by the client")

    def writeConnectionLost(self) -> None:
        """Nobody reads what we say; connectionLost follows."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        self._out.stopProducing()
        for timer in (self._idle, self._closer):
            if timer is not None and timer.active():
                timer.cancel()
        if self._serving is not None:
            self._serving.cancel()
        self._session.close()
        self._factory.sessions.discard(self)
        mail_log.disconnected(
            self._session.peer.session,
            self.protocol_name,
            self._why + self.told_at_end(),
        )

    def handshakeCompleted(self) -> None:
        handle = self.transport.getHandle()
        mail_log.tls_started(
            self._session.peer.session,
            self.protocol_name,
            handle.get_protocol_version_name(),
            handle.get_cipher_name() or "",
        )

    def start_tls(self) -> None:
        """TLS begins behind what was answered."""
        self._out.flush()
        self.transport.startTLS(self._factory.tls)
        self._session.started_tls(TlsChannel(self.transport))

    def stop(self) -> None:
        """Answer the command at hand, then close; at once if there is none."""
        self._stopping = True
        if self._serving is None or self._answered is not None:
            self.part(STOPS)

    @property
    def said_all(self) -> bool:
        """True if the last answer was written and the socket took all of it."""
        return self._closing and not self._out.full

    def finish(self, why: str) -> None:
        """Close when everything was written."""
        if self._closing:
            return
        self._closing, self._why = True, why
        self._session.close()  # the next session need not wait for the socket
        self._out.end()
        self._closer = self._reactor.callLater(CLOSE_S, self.transport.abortConnection)
        self.transport.loseConnection()

    def abort(self, why: str) -> None:
        """Cut the client off, so that half an answer does not look like a whole one."""
        self._closing, self._why = True, why
        self.transport.abortConnection()

    def _idle_out(self) -> None:
        if self._serving is not None and self._answered is None:
            self._idle = self._reactor.callLater(self.patience_s, self._idle_out)
        else:
            self.idle()

    def idle(self) -> None:
        """The client said nothing for `patience_s`."""
        self.part("idle too long")

    def _stalled(self) -> None:
        self.abort("client does not read")

    # -- commands ---------------------------------------------------------------------

    def _begin(self) -> None:
        self._serving = serving = Deferred.fromCoroutine(self._serve())
        serving.addBoth(self._served)

    async def _serve(self) -> None:
        count = 0
        while (event := self._engine.next_event()) is not None:
            before = self._engine.state
            await self.answer(event)
            if self._closing:
                return
            why = self.over(event)
            if why is not None:
                self.finish(why)
                return
            if self._idle.active() and self.heard(before):
                self._idle.reset(self.patience_s)
            if self._stopping or self._errors >= self._most_errors:
                self.part(STOPS if self._stopping else "too many errors")
                return
            if self._out.full:
                await self._out.drained()
            count += 1
            if not count % MOST_AT_ONCE:
                self._out.flush()
                await deferLater(self._reactor, 0)
        self._out.flush()

    def _served(self, result: object) -> None:
        self._serving = None
        if isinstance(result, Failure):
            if not result.check(CancelledError):
                log.failure("serving {name}", failure=result, name=self.protocol_name)
                self.abort("fault")
            return
        if self._closing:
            return
        if self._half_closed:
            self.finish("closed by the client")
        elif not self._reading:
            self._reading = True
            self.transport.resumeProducing()

    async def ask(self, challenge: bytes) -> bytes:
        """Carry a SASL challenge to the client and its response back."""
        self._out.put(self._engine.challenge(challenge))
        self._out.flush()
        while (response := self._engine.next_response()) is None:
            if self.heard(self._engine.state):
                self._idle.reset(self.patience_s)
            self._answered = Deferred()
            await self._answered
        octets: bytes = response
        return octets
