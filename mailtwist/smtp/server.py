"""The Twisted side of SMTP: moves octets, awaits answers, knows no SMTP rule.

All commands that are there are answered in one go, with one write, as long as no answer
has to wait.  A peer that does not read is not read from, and cut off in time.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..auth.channel import TlsChannel
from ..auth.login import Peer
from ..dialogue.at_once import write_at_once
from ..eager import step
from ..errors import MailError
from ..log import mail_log
from .command import (
    Auth,
    AuthResponse,
    Bdat,
    Burl,
    Content,
    EndOfChunk,
    EndOfData,
    Event,
    Hello,
    Mail,
    Rcpt,
    Spoiled,
    StartTls,
    Xclient,
)
from .engine import SMTPEngine
from .faults import ShuttingDown, TimedOut, TooLate, TooManyErrors
from .reply import Replies, Reply, reply_for
from .rooms import in_networks, plain_address
from .session import Session

log = Logger()

MOST_PENDING = 64 * 1024  # octets held while an answer or the storage is awaited
HANDSHAKE_S = 60.0  # for TLS to come up
ANSWER_S = 240.0  # for an answer of ours; clients wait 5 min (RFC 5321 §4.5.3.2)
DELIVERY_S = 540.0  # the same at the end of data, where they wait 10 min
CLOSE_S = 10.0  # for the peer to take the last reply

_UNANSWERED = frozenset((Content, Spoiled, Bdat, Burl))
_CHANGING = frozenset((Hello, StartTls, Auth, Xclient))  # what is offered and allowed


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class SMTPServer(Protocol):
    """One SMTP connection."""

    transport: Any  # ITCPTransport, ISSLTransport or a Unix socket; all push producers
    factory: Any  # SMTPFactory: reactor, rooms, sessions, tls
    listener = ""  # its name in the configuration

    def __init__(self) -> None:
        self._serving: Deferred[None] | None = None  # while an answer is awaited
        self._response: Deferred[bytes] | None = None  # what a SASL exchange awaits
        self._event: Event | None = None  # being answered
        self._out: list[bytes] = []  # replies not yet written
        self._errors = 0
        self._running = False  # _serve is on the stack, in its first run
        self._late = False  # our own answer took too long
        self._stopping = self._closing = self._half_closed = False
        self._clogged = False  # the peer does not read
        self._reading = True  # the transport reads
        self._handshaking = False
        self._since = 0.0  # when the present wait began
        self._timer: Any = None
        self._greeting: Any = None  # the pause before it

    # -- what Twisted calls ---------------------------------------------------------

    def connectionMade(self) -> None:
        factory, transport = self.factory, self.transport
        factory.sessions.add(self)
        with suppress(AttributeError, OSError):  # a Unix socket has none
            transport.setTcpNoDelay(True)
        address = getattr(transport.getPeer(), "host", None)
        tls = self._handshaking = ISSLTransport.providedBy(transport)
        peer = Peer(
            plain_address(address),
            tls,
            base64.b32encode(os.urandom(10))[:14].decode().lower(),
            factory.rooms.role,
            self.listener,
            TlsChannel(transport) if tls else None,
        )
        self._peer = peer
        config = factory.rooms.config
        self._session = Session(
            factory.rooms,
            peer,
            starttls=factory.tls is not None,
            queued=self._queued_recipients,
            impatient=lambda: self._engine.impatient,
        )
        self._engine = SMTPEngine(
            self._session.offer,
            text_line_octets=config.text_line_octets,
            lone_lf=config.bare_lf == "normalize"
            and in_networks(peer.address, config.bare_lf_networks),
        )
        self._engine.bare_paths = self._session.trusted
        self._engine.hello_needed = factory.rooms.restrictions.helo_required
        transport.registerProducer(self, True)
        mail_log.connected(peer.session, peer.protocol, peer.address, tls)
        self._since = factory.reactor.seconds()
        self._timer = factory.reactor.callLater(
            max(0.0, self._deadline() - self._since), self._tick
        )
        if config.greeting_pause_s and not self._session.trusted and not tls:
            self._greeting = factory.reactor.callLater(
                config.greeting_pause_s, self._greet
            )
        else:
            self._serve_now()

    def dataReceived(self, data: bytes) -> None:
        engine = self._engine
        engine.receive(data)
        if engine.in_data:
            self._since = self.factory.reactor.seconds()
        if self._response is not None:
            self._respond()
        elif self._greeting is not None:
            self._greet()
        elif self._serving is None and not self._clogged:
            self._serve_now()
        elif isinstance(self._event, Rcpt | Mail):
            self._session.look_ahead()
        if engine.pending > MOST_PENDING and (
            self._serving is not None or self._clogged
        ):
            self._read(False)

    def handshakeCompleted(self) -> None:
        """TLS is up: what it is goes into the log and the trace."""
        self._handshaking = False
        handle = self.transport.getHandle()
        version, name = handle.get_protocol_version_name(), handle.get_cipher_name()
        self._session.cipher = f"{version} with cipher {name}"
        mail_log.tls_started(self._peer.session, self._peer.protocol, version, name)

    def pauseProducing(self) -> None:
        """The peer does not read its replies: no more commands are answered.

        It is read on up to MOST_PENDING, as TLS may need its octets to go on.
        """
        self._clogged = True
        self._since = self.factory.reactor.seconds()

    def resumeProducing(self) -> None:
        self._clogged = False
        self._since = self.factory.reactor.seconds()
        if self._closing:
            return
        self._read(True)
        if self._serving is None and self._response is None:
            self._serve_now()

    def stopProducing(self) -> None:
        """The connection is lost, as connectionLost says."""

    def readConnectionLost(self) -> None:
        """The client said all it has to say, and still reads: answer, then close."""
        self._half_closed = True
        if self._response is not None or (self._serving is None and not self._clogged):
            self._close()

    def writeConnectionLost(self) -> None:
        """Nobody reads what we say; connectionLost follows."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.sessions.discard(self)
        self._closing = True
        self._engine.close()
        for timer in (self._timer, self._greeting):
            if timer is not None and timer.active():
                timer.cancel()
        if self._serving is not None and not self._session.committing:
            self._serving.cancel()
        self._session.end()
        mail_log.disconnected(
            self._peer.session, self._peer.protocol, reason.getErrorMessage()
        )

    # -- answering ------------------------------------------------------------------

    def stop(self) -> None:
        """Say 421 and close as soon as the command in hand is answered."""
        self._stopping = True
        if self._response is not None or (
            self._serving is None and not self._engine.in_data
        ):
            self._say_goodbye(ShuttingDown())

    @property
    def said_all(self) -> bool:
        """True if the last reply was written and the socket took all of it."""
        return self._closing and not self._clogged

    def _greet(self) -> None:
        """The pause is over, or the client did not wait for it."""
        timer, self._greeting = self._greeting, None
        if timer is not None and timer.active():
            timer.cancel()
        self._serve_now()

    def _serve_now(self) -> None:
        """Answer everything that is there."""
        self._running = True
        try:
            _, rest = step(self._serve())
        except Exception:
            self._served(Failure())
            return
        self._running = False
        if rest is None:
            self._served(None)
            return
        self._flush()
        self._serving = Deferred.fromCoroutine(rest)
        self._since = self.factory.reactor.seconds()
        self._rearm()
        self._serving.addBoth(self._served)

    async def _serve(self) -> None:
        engine = self._engine
        answered = False
        while not self._clogged and (event := engine.next_event()) is not None:
            self._event = event
            kind = type(event)
            if kind in _UNANSWERED:
                waiting = self._take(event)
                if waiting is not None:
                    await waiting
                engine.go_on()
                continue
            answer = await self._answer(event)
            answered, code = True, answer.code
            if code >= 500 and self._slowed():
                await deferLater(self.factory.reactor, self._error_delay_s)
            if self._closing:  # meanwhile
                return
            self._out.append(engine.reply(answer))
            if not self._running:
                self._flush()
                self._since = self.factory.reactor.seconds()
            if kind in _CHANGING and code < 400:
                self._changed(event)
            if answer.closes:
                self._close()
                return
            if code >= 500 and not self._session.lmtp:
                self._errors += 1
                if self._errors >= self.factory.rooms.config.errors:
                    self._say_goodbye(TooManyErrors())
                    return
            elif kind is EndOfData and code == 250:
                self._errors = 0
            if self._stopping and not engine.in_data:
                self._say_goodbye(ShuttingDown())
                return
        if answered:
            self._since = self.factory.reactor.seconds()

    def _slowed(self) -> bool:
        """True if the errors of this client have become too many to be quick."""
        return (
            self._errors >= self.factory.rooms.restrictions.soft_errors
            and self._error_delay_s > 0
            and not self._session.trusted
        )

    @property
    def _error_delay_s(self) -> float:
        delay_s: float = self.factory.rooms.restrictions.error_delay_s
        return delay_s

    def _take(self, event: Event) -> Awaitable[None] | None:
        """An event that has no reply; an awaitable asks to wait for it."""
        if isinstance(event, Content):
            return self._session.write(event.octets)
        if isinstance(event, Bdat | Burl):
            return self._begin_chunks(event)
        self._session.spoil()
        return None

    async def _begin_chunks(self, event: Bdat | Burl) -> None:
        try:
            if isinstance(event, Burl):
                await self._session.fetch(event, self._engine)
            else:
                await self._session.begin_chunks()
        except CancelledError:
            if not self._late:  # the connection is gone
                raise
            self._late = False
            self._session.spoil(TooLate())

    async def _answer(self, event: Event) -> Reply | Replies:
        try:
            if isinstance(event, EndOfData):
                return await self._session.finish(event.octets, event.fault)
            if isinstance(event, Auth):
                return await self._session.authenticate(event, self._converse)
            return await self._session.answer(event)
        except CancelledError:
            if not self._late:  # the connection is gone
                raise
            self._late = False
            return reply_for(TooLate())
        except MailError as fault:  # expected: the client is told
            self._tell_refused(event, fault)
            return reply_for(fault, auth=isinstance(event, Auth))
        except Exception:  # unexpected: the log is told everything, the client nothing
            log.failure("answering {event!r}", event=event)
            return reply_for(MailError())

    def _tell_refused(self, event: Event, fault: MailError) -> None:
        """One line in the log; nothing of a line that was no command, as it may hold a
        password.  Logins are logged where they are checked."""
        match event:
            case Rcpt():
                what = f"RCPT TO:<{event.forward_path}>"
            case Mail():
                what = f"MAIL FROM:<{event.reverse_path or ''}>"
            case EndOfData() | EndOfChunk():
                what = "message"
            case Auth():
                return
            case _:
                what = "command"
        mail_log.refused(self._peer.session, self._peer.protocol, what, fault)

    def _served(self, result: object) -> None:
        self._serving = self._event = None
        self._running = False
        if isinstance(result, Failure):
            if not result.check(CancelledError):
                log.failure("serving SMTP", failure=result)
            self._out.clear()
            if not self._closing:
                self._closing = True
                self.transport.abortConnection()
            return
        if self._closing:
            return
        self._flush()
        if self._half_closed and not self._clogged:
            self._close()
            return
        if not self._clogged:
            self._read(True)
        self._rearm()

    def _changed(self, event: Event) -> None:
        """What is offered and allowed now."""
        engine, session = self._engine, self._session
        self._peer = session.peer
        if isinstance(event, StartTls):
            self._flush()
            session.tls_started(TlsChannel(self.transport))
            self._peer = session.peer
            self._handshaking = True
            self.transport.startTLS(self.factory.tls)
        engine.offer = session.offer
        engine.bare_paths = session.trusted

    def _queued_recipients(self) -> list[Any]:
        return self._engine.queued_recipients()

    # -- AUTH -----------------------------------------------------------------------

    async def _converse(self, challenge: bytes) -> bytes:
        """Send a challenge; the client's response, or the fault in it."""
        self._out.append(self._engine.challenge(challenge))
        self._flush()
        self._since = self.factory.reactor.seconds()
        response: Deferred[bytes] = Deferred(self._forget_response)
        self._response = response
        self._respond()
        return await response

    def _respond(self) -> None:
        """Hand the client's next line to the exchange, if it is there."""
        event = self._engine.next_event()
        response = self._response
        if event is None or response is None:
            return
        self._response = None
        if isinstance(event, AuthResponse):
            response.callback(event.octets)
        elif isinstance(event, MailError):
            response.errback(event)

    def _forget_response(self, response: Deferred[bytes]) -> None:
        self._response = None

    # -- octets out, and the end ----------------------------------------------------

    def _flush(self) -> None:
        if self._out:
            out, self._out = self._out, []
            octets = out[0] if len(out) == 1 else b"".join(out)
            write_at_once(self.transport, octets)

    def _read(self, on: bool) -> None:
        if on is not self._reading and not self._closing:
            self._reading = on
            if on:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def _say_goodbye(self, fault: MailError) -> None:
        self._out.append(reply_for(fault).encode())
        self._close()

    def _close(self) -> None:
        """Close when everything is sent; a peer that does not take it is cut off."""
        if self._closing:
            return
        self._flush()
        self._closing = True
        self._engine.close()
        self._since = self.factory.reactor.seconds()
        self._rearm()
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        if self._response is not None and self._serving is not None:
            self._serving.cancel()

    # -- time -----------------------------------------------------------------------

    def _deadline(self) -> float:
        """When the present wait ends, in the reactor's seconds."""
        config = self.factory.rooms.config
        if self._closing:
            wait_s = CLOSE_S
        elif self._handshaking:
            wait_s = min(HANDSHAKE_S, config.command_s)
        elif self._clogged:
            wait_s = config.command_s
        elif self._serving is not None and self._response is None:
            wait_s = DELIVERY_S if isinstance(self._event, EndOfData) else ANSWER_S
        elif self._engine.in_data:
            wait_s = config.data_s
        else:
            wait_s = config.command_s
        return self._since + wait_s

    def _rearm(self) -> None:
        """Let the timer look earlier if the wait that began is a shorter one."""
        timer = self._timer
        if timer is None or not timer.active():
            return
        deadline = self._deadline()
        if deadline < timer.getTime():
            timer.reset(max(0.0, deadline - self.factory.reactor.seconds()))

    def _tick(self) -> None:
        reactor = self.factory.reactor
        left = self._deadline() - reactor.seconds()
        if left > 0:
            self._timer = reactor.callLater(left, self._tick)
            return
        if self._closing or self._clogged or self._handshaking:
            self._closing = True
            self.transport.abortConnection()
            return
        if self._serving is not None and self._response is None:
            self._since = reactor.seconds()
            self._timer = reactor.callLater(CLOSE_S, self._tick)
            self._late = True
            self._serving.cancel()
            return
        self._timer = reactor.callLater(CLOSE_S, self._tick)
        self._say_goodbye(TimedOut())
