"""The Twisted side of POP3: moves octets, awaits answers, knows no POP3 rule."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..auth.channel import TlsChannel
from ..auth.login import Authenticator, Peer
from ..config.reading import Pop3
from ..errors import MailError, MessageGone
from ..log import mail_log
from .engine import Event, POP3Engine, State
from .grammar import Stls
from .maildrop import Maildrops
from .outflow import Outflow
from .response import WRONG, Reply, err_for
from .session import Answer, Multi, Session

log = Logger()

MOST_PENDING = 64 * 1024  # octets of pipelined commands held while one is answered
MOST_AT_ONCE = 128  # commands answered before other connections get their turn
STALLED_S = 300.0  # a client that reads nothing for so long is cut off
CLOSE_S = 30.0  # a client that does not take the end is cut off


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class POP3Server(Protocol):
    """One POP3 connection."""

    transport: Any
    listener = ""  # its name in the configuration

    def __init__(self, factory: POP3Factory) -> None:
        self._factory, self._reactor = factory, factory.reactor
        self._config = factory.config
        self._engine = POP3Engine()
        self._serving: Deferred[None] | None = None
        self._answered: Deferred[None] | None = None  # waits for a SASL response
        self._errors, self._why = 0, "connection lost"
        self._reading, self._closing, self._stopping = True, False, False
        self._half_closed = False
        self._closer: Any = None

    # -- the connection ---------------------------------------------------------

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
            "pop3",
            self.listener,
            TlsChannel(self.transport) if tls else None,
        )
        timestamp = self._factory.timestamp(peer)
        stalled_s = min(STALLED_S, self._config.idle_s)
        self._out = Outflow(self.transport, self._reactor, stalled_s, self._stalled)
        self._session = Session(
            self._engine,
            self._config,
            self._factory.authenticator,
            self._factory.maildrops,
            peer,
            tls_possible=self._factory.tls is not None,
            timestamp=timestamp,
            clock=self._reactor.seconds,
            ask=self._ask,
        )
        self._idle = self._reactor.callLater(self._config.idle_s, self._idle_out)
        self._factory.sessions.add(self)
        mail_log.connected(peer.session, "pop3", peer.address, tls)
        greeting = f"{self._factory.hostname} POP3 ready {timestamp.decode()}".rstrip()
        self._out.put(Reply(True, greeting).encode())
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
        elif self._engine.pending > MOST_PENDING and self._reading:
            self._reading = False
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """The client said all it has to say and still reads: answer, then close."""
        self._half_closed = True
        if self._serving is None or self._answered is not None:
            self._finish("closed by the client")

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
        session = self._session
        session.close()
        self._factory.sessions.discard(self)
        mail_log.disconnected(
            session.peer.session,
            "pop3",
            f"{self._why}, {session.retrieved} retrieved, {session.removed} deleted",
        )

    def handshakeCompleted(self) -> None:
        handle = self.transport.getHandle()
        mail_log.tls_started(
            self._session.peer.session,
            "pop3",
            handle.get_protocol_version_name(),
            handle.get_cipher_name() or "",
        )

    def stop(self) -> None:
        """Answer the command at hand, then close; at once if there is none."""
        self._stopping = True
        if self._serving is None or self._answered is not None:
            self._finish("server stops")

    @property
    def said_all(self) -> bool:
        """True if the last answer was written and the socket took all of it."""
        return self._closing and not self._out.full

    def _finish(self, why: str) -> None:
        """Close when everything was written."""
        if self._closing:
            return
        self._closing, self._why = True, why
        self._session.close()  # the next session need not wait for the socket
        self._out.end()
        self._closer = self._reactor.callLater(CLOSE_S, self.transport.abortConnection)
        self.transport.loseConnection()

    def _abort(self, why: str) -> None:
        self._closing, self._why = True, why
        self.transport.abortConnection()

    def _idle_out(self) -> None:
        """The autologout timer (RFC 1939 §3): no answer, nothing is deleted."""
        if self._serving is not None and self._answered is None:
            self._idle = self._reactor.callLater(self._config.idle_s, self._idle_out)
        else:
            self._finish("idle too long")

    def _stalled(self) -> None:
        self._abort("client does not read")

    # -- commands ---------------------------------------------------------------

    def _begin(self) -> None:
        self._serving = serving = Deferred.fromCoroutine(self._serve())
        serving.addBoth(self._served)

    async def _serve(self) -> None:
        count = 0
        while (event := self._engine.next_event()) is not None:
            if self._idle.active():
                self._idle.reset(self._config.idle_s)
            await self._answer(event)
            if self._closing:
                return
            if self._engine.state is State.OVER:
                self._finish("quit")
                return
            if self._stopping or self._errors >= self._config.errors:
                self._finish("server stops" if self._stopping else "too many errors")
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
                log.failure("serving POP3", failure=result)
                self._abort("fault")
            return
        if self._closing:
            return
        if self._half_closed:
            self._finish("closed by the client")
        elif not self._reading:
            self._reading = True
            self.transport.resumeProducing()

    async def _answer(self, event: Event) -> None:
        answer = await self._answer_to(event)
        if isinstance(answer, Multi):
            await self._send(answer)
            return
        self._out.put(self._engine.reply(answer))
        if isinstance(event, Stls) and answer.ok:
            self._out.flush()
            self.transport.startTLS(self._factory.tls)
            self._session.started_tls(TlsChannel(self.transport))

    async def _answer_to(self, event: Event) -> Answer:
        try:
            if isinstance(event, MailError):
                raise event
            return await self._session.handle(event)
        except CancelledError:  # the connection is gone
            raise
        except MailError as fault:
            if isinstance(fault, WRONG):
                self._errors += 1
            return err_for(fault)
        except Exception:
            log.failure("answering {event}", event=event)
            return err_for(MailError())

    async def _send(self, answer: Multi) -> None:
        """A status line and its body, as fast as the client reads."""
        self._out.put(self._engine.begin(answer.reply))
        body = answer.body
        if isinstance(body, bytes):
            self._out.put(body)
        elif isinstance(body, AsyncIterator):
            try:
                async for piece in body:
                    self._out.put(piece)
                    if self._out.full:
                        await self._out.drained()
            except CancelledError:
                raise
            except Exception as fault:  # half a message must not look like a whole one
                if not isinstance(fault, MailError):
                    log.failure("reading a message")
                gone = isinstance(fault, MessageGone)
                self._abort("message expunged meanwhile" if gone else "fault")
                return
        else:
            for piece in body:
                self._out.put(piece)
                if self._out.full:
                    await self._out.drained()
        self._engine.end()

    async def _ask(self, challenge: bytes) -> bytes:
        """Carry a SASL challenge to the client and its response back."""
        self._out.put(self._engine.challenge(challenge))
        self._out.flush()
        while (response := self._engine.next_response()) is None:
            self._idle.reset(self._config.idle_s)
            self._answered = Deferred()
            await self._answered
        return response


class POP3Factory(Factory):
    """Builds POP3 connections.

    `tls` is what `startTLS` takes, None where STLS is not offered.  `maildrops` holds
    the locks: factories that serve the same accounts share one.
    """

    noisy = False
    too_many = b"-ERR [SYS/TEMP] Too many connections, try again later\r\n"

    def __init__(
        self,
        *,
        reactor: Any,
        config: Pop3,
        hostname: str,
        authenticator: Authenticator,
        tls: object | None,
        maildrops: Maildrops | None = None,
    ) -> None:
        self.reactor, self.config, self.hostname = reactor, config, hostname
        self.authenticator, self.tls = authenticator, tls
        self.maildrops = maildrops or Maildrops(config)
        self.sessions: set[POP3Server] = set()

    def buildProtocol(self, addr: object) -> POP3Server:
        return POP3Server(self)

    def timestamp(self, peer: Peer) -> bytes:
        """The greeting's msg-id (RFC 1939 §7), never one twice; b"" without APOP."""
        if not self.authenticator.apop(peer):
            return b""
        return f"<{secrets.token_hex(16)}@{self.hostname}>".encode()

    def stop(self) -> None:
        """Let every session answer its command, then close it."""
        for session in list(self.sessions):
            session.stop()
