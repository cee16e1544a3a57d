"""The Twisted side of SMTP: moves octets, awaits answers, knows no SMTP rule."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..auth.login import Peer
from ..config.model import Smtp
from ..errors import MailError, SaslCancelled
from ..interfaces import IDelivery, IRouter
from ..log import mail_log
from .command import (
    Auth,
    AuthResponse,
    Connected,
    Content,
    EndOfData,
    Event,
    Spoiled,
    StartTls,
)
from .data import LineEnds
from .engine import SMTPEngine, State
from .faults import ShuttingDown, TalkedBeforeGreeting, TimedOut, TooManyErrors
from .reply import Reply, reply, reply_for
from .session import Rooms, Session, in_networks

log = Logger()

MOST_PENDING = 256 * 1024  # octets held while one command is answered
SLOW_READER_S = 120.0  # a peer that takes no reply for so long is cut off


@implementer(IHalfCloseableProtocol)
class SMTPServer(Protocol):
    """One SMTP connection."""

    transport: Any  # ITLSTransport, a consumer and a push producer
    factory: SMTPFactory
    _serving: Deferred[None] | None = None
    _half_closed = False
    _response: Deferred[bytes] | None = None

    def connectionMade(self) -> None:
        self.factory.sessions.add(self)
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        rooms = self.factory.rooms
        address = getattr(self.transport.getPeer(), "host", None)
        tls = ISSLTransport.providedBy(self.transport)
        self.peer = Peer(
            address if isinstance(address, str) else "local",
            tls,
            f"s{secrets.token_hex(5)}",
            "smtp",
        )
        line_ends = LineEnds.STRICT
        if rooms.config.bare_lf == "normalize" and in_networks(
            self.peer.address, rooms.config.bare_lf_networks
        ):
            line_ends = LineEnds.BARE
        self._engine = SMTPEngine(rooms.config.message_octets, line_ends=line_ends)
        self._session = Session(rooms, self.peer, self.factory.tls is not None)
        self._session.tls = "TLS" if tls else ""
        self._errors, self._out, self._stopping = 0, [], False  # type: ignore[var-annotated]
        self._timer = self.factory.reactor.callLater(
            rooms.config.command_s, self._timed_out
        )
        mail_log.connected(self.peer.session, "smtp", self.peer.address, tls)
        self._go()

    def dataReceived(self, data: bytes) -> None:
        self._engine.receive(data)
        if self._response is not None:
            self._next_response()
        elif self._serving is None:
            self._go()
        elif self._engine.pending > MOST_PENDING:
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """The client sent all it has to say, and still reads: answer, then close."""
        self._half_closed = True
        if self._serving is None:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nobody reads what we say; connectionLost follows."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.sessions.discard(self)
        if self._timer.active():
            self._timer.cancel()
        waiting, self._response = self._response, None
        if waiting is not None:
            waiting.errback(CancelledError())
        elif self._serving is not None:
            self._serving.cancel()
        self._session.end()
        mail_log.disconnected(self.peer.session, "smtp", reason.getErrorMessage())

    def stop(self) -> None:
        """Say goodbye as soon as the command in hand is answered."""
        self._stopping = True
        if self._serving is None:
            self._close(reply_for(ShuttingDown()))

    # -- serving --------------------------------------------------------------

    def _go(self) -> None:
        serving = Deferred.fromCoroutine(self._serve())
        if not serving.called:
            self._serving = serving
        serving.addBoth(self._served)

    async def _serve(self) -> None:
        engine = self._engine
        while (event := engine.next_event()) is not None:
            if isinstance(event, Content | Spoiled):
                await self._take(event)
                continue
            answer = await self._answer(event)
            self._out.append(engine.reply(answer))
            self._count(event, answer)
            if answer.closes:
                self._flush()
                self._end()
                return
            if self._stopping and engine.mail is None:
                self._close(reply_for(ShuttingDown()))
                return
            if isinstance(event, StartTls) and answer.code < 400:
                self._flush()
                self._start_tls()
        self._flush()
        self._touch()

    async def _take(self, event: Content | Spoiled) -> None:
        self._engine.go_on()
        self._touch()
        if isinstance(event, Spoiled):
            self._session.spoil()
            return
        waited = self._session.write(event.octets)
        if waited is not None:
            self._flush()
            await self._paused(waited)

    async def _paused(self, waited: Awaitable[None]) -> None:
        """Storage is slower than the network: read no more until it is not."""
        self.transport.pauseProducing()
        try:
            await waited
        finally:
            self.transport.resumeProducing()

    async def _answer(self, event: Event) -> Reply:
        try:
            if isinstance(event, MailError):
                raise event
            if isinstance(event, Connected):
                if self._engine.talked_early():
                    raise TalkedBeforeGreeting()
                return await self._session.answer(event)
            if isinstance(event, Auth):
                self._flush()
                return await self._session.authenticate(event, self._converse)
            if isinstance(event, EndOfData):
                self._flush()
                return await self._session.finish(event.octets, event.fault)
            self._engine.bare_path = self._session.trusted
            return await self._session.answer(event)
        except CancelledError:  # the connection is gone
            raise
        except MailError as fault:  # expected: the client is told
            if not isinstance(event, MailError):
                mail_log.refused(self.peer.session, "smtp", type(event).__name__, fault)
            return reply_for(fault, auth=isinstance(event, Auth))
        except Exception:  # unexpected: the log is told everything, the client nothing
            log.failure("answering {event}", event=type(event).__name__)
            return reply_for(MailError())

    def _count(self, event: Event, answer: Reply) -> None:
        """Too many wrong commands end the connection (not refused recipients)."""
        if answer.code < 500 or answer.closes:
            return
        self._errors += 1
        if self._errors >= self.factory.rooms.config.errors:
            self._out.append(reply_for(TooManyErrors()).encode())
            self._engine.state = State.OVER
            self._flush()
            self._end()

    def _served(self, result: object) -> None:
        self._serving = None
        if not isinstance(result, Failure):
            if self.connected:
                self.transport.resumeProducing()
                if self._half_closed:
                    self.transport.loseConnection()
                if self._stopping and self._engine.state is not State.OVER:
                    self._close(reply_for(ShuttingDown()))
        elif not result.check(CancelledError):
            log.failure("serving SMTP", failure=result)
            self.transport.abortConnection()

    # -- AUTH -----------------------------------------------------------------

    def _converse(self, challenge: bytes) -> Deferred[bytes]:
        """Send a challenge; fires with the client's response."""
        from base64 import b64encode

        self._out.append(
            self._engine.reply(Reply(334, "", (b64encode(challenge).decode(),)))
        )
        self._flush()
        self._touch()
        self._response = Deferred()
        response = self._response
        self._next_response()
        return response

    def _next_response(self) -> None:
        event = self._engine.next_event()
        if event is None or self._response is None:
            return
        waiting, self._response = self._response, None
        if isinstance(event, AuthResponse):
            waiting.callback(event.octets)
        else:
            fault = event if isinstance(event, MailError) else SaslCancelled()
            waiting.errback(fault)

    # -- TLS and the end ------------------------------------------------------

    def _start_tls(self) -> None:
        self._session.reset()
        self._session.hello = None
        self._session.tls = "TLS"
        self.peer = Peer(self.peer.address, True, self.peer.session, "smtp")
        self._session.peer = self.peer
        self.transport.startTLS(self.factory.tls)

    def _flush(self) -> None:
        if self._out:
            self._learn_tls()
            out, self._out = self._out, []
            self.transport.write(b"".join(out))

    def _learn_tls(self) -> None:
        """Version and cipher, once the handshake is over."""
        if self._session.tls != "TLS":
            return
        handle = self.transport.getHandle()
        cipher = getattr(handle, "get_cipher_name", lambda: None)()
        if cipher:
            version = handle.get_protocol_version_name()
            self._session.tls = f"{version} with cipher {cipher}"

    def _touch(self) -> None:
        config = self.factory.rooms.config
        in_data = self._engine.state is State.DATA
        if self._timer.active():
            self._timer.reset(config.data_s if in_data else config.command_s)

    def _timed_out(self) -> None:
        if self._serving is not None and self._response is None:
            self._timer = self.factory.reactor.callLater(
                self.factory.rooms.config.command_s, self._timed_out
            )
            return  # it is us who are slow
        self._close(reply_for(TimedOut()))

    def _close(self, last: Reply) -> None:
        self._engine.state = State.OVER
        self._out.append(last.encode())
        self._flush()
        self._end()

    def _end(self) -> None:
        """Close when everything is sent; a peer that does not read is cut off."""
        self.transport.loseConnection()
        if self._timer.active():
            self._timer.cancel()
        self._timer = self.factory.reactor.callLater(
            SLOW_READER_S, self.transport.abortConnection
        )


class SMTPFactory(Factory):
    """Makes SMTP connections for one role, "smtp" (port 25) or "submission"."""

    protocol = SMTPServer  # type: ignore[assignment]
    noisy = False
    too_many = reply(421, "4.7.0", "Too many connections, try again later").encode()

    def __init__(
        self,
        *,
        reactor: Any,
        config: Smtp,
        hostname: str,
        role: str,
        authenticator: Any,
        router: IRouter,
        delivery: IDelivery,
        trusted_networks: Sequence[Any],
        tls: object | None,
    ) -> None:
        self.reactor, self.tls = reactor, tls
        self.sessions: set[SMTPServer] = set()
        self.rooms = Rooms(
            config, hostname, role, authenticator, router, delivery, trusted_networks
        )

    def stop(self) -> None:
        """Every session says 421 and closes when its command is answered."""
        for session in list(self.sessions):
            session.stop()
