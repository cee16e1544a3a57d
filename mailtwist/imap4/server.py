"""The Twisted side of IMAP: moves octets, awaits answers."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .. import __version__
from ..auth.login import Peer
from ..config.model import Imap4
from ..errors import MailError
from ..interfaces import IUpload
from ..log import mail_log
from .capability import capabilities, enabled
from .cmd.table import HANDLERS
from .commands import State
from .engine import IMAP4Engine
from .events import (
    AppendEnd,
    AppendOctets,
    AppendStart,
    Asked,
    AuthResponse,
    Continue,
    Event,
    IdleDone,
    Refused,
)
from .response import Answer, Kind, answer_for, append_uid, bye, ok, string, untagged
from .session import Session
from .types import (
    Append,
    Authenticate,
    Capability,
    Check,
    Command,
    Enable,
    Id,
    Idle,
    Login,
    Logout,
    Noop,
    StartTls,
)

log = Logger()

MOST_PENDING = 256 * 1024  # octets of commands held while one is answered
SLOW_READER_S = 120.0


@implementer(IPushProducer, IHalfCloseableProtocol)
class IMAP4Server(Protocol):
    """One IMAP connection; also the producer of its long answers."""

    transport: Any
    factory: IMAP4Factory
    _serving: Deferred[None] | None = None
    _half_closed = False
    _response: Deferred[bytes] | None = None
    _room: Deferred[None] | None = None
    _upload: IUpload | None = None
    _append: Append | None = None

    def connectionMade(self) -> None:
        self.factory.sessions.add(self)
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        host = getattr(self.transport.getPeer(), "host", None)
        tls = ISSLTransport.providedBy(self.transport)
        address = host if isinstance(host, str) else "local"
        peer = Peer(address, tls, f"i{secrets.token_hex(5)}", "imap4")
        self._engine = IMAP4Engine(self.factory.config, tls=tls)
        self._session = Session(
            self.factory.config,
            self._engine,
            peer,
            self.factory.authenticator,
            self.factory.tls is not None,
            self._write,
            self._drained,
            self._turn,
            self._changed,
        )
        self._paused = self._stopping = self._poked = False
        self._timer = self.factory.reactor.callLater(
            self.factory.config.login_s, self._timed_out
        )
        mail_log.connected(peer.session, "imap4", address, tls)
        self.transport.registerProducer(self, True)
        code = b"CAPABILITY " + self._session.capabilities()
        self._write(ok(f"{self.factory.hostname} mailtwist ready", code).encode())

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
        for waiting in (self._response, self._room):
            if waiting is not None and not waiting.called:
                waiting.errback(CancelledError())
        if self._serving is not None:
            self._serving.cancel()
        if self._upload is not None:
            self._upload.abort()
        leaving = Deferred.fromCoroutine(self._session.leave())
        leaving.addErrback(lambda f: log.failure("closing", failure=f))
        if self._session.login is not None:
            self._session.login.logout()
        session = self._session.peer.session
        mail_log.disconnected(session, "imap4", reason.getErrorMessage())

    def stop(self) -> None:
        """BYE as soon as the command in hand is answered; IDLE is none."""
        self._stopping = True
        if self._serving is None:
            self._end(bye("Server is shutting down", b"UNAVAILABLE"))

    # -- back-pressure --------------------------------------------------------

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def stopProducing(self) -> None:
        self.resumeProducing()

    def _write(self, octets: bytes) -> None:
        self.transport.write(octets)

    async def _drained(self) -> None:
        if self._paused:
            self._room = Deferred()
            await self._room

    async def _turn(self) -> None:
        await deferLater(self.factory.reactor, 0)

    # -- serving --------------------------------------------------------------

    def _go(self) -> None:
        serving = Deferred.fromCoroutine(self._serve())
        if not serving.called:
            self._serving = serving
        serving.addBoth(self._served)

    async def _serve(self) -> None:
        engine = self._engine
        while (event := engine.next_event()) is not None:
            await self._event(event)
            if engine.state is State.LOGOUT or self._stopping:
                self._end(b"" if engine.state is State.LOGOUT else bye("Shutting down"))
                return
            if engine.bads >= self.factory.config.errors:
                self._end(bye("Too many errors"))
                return
        self._session.flush()
        if self._timer.active():
            logged_in = self._session.login is not None
            config = self.factory.config
            self._timer.reset(config.idle_s if logged_in else config.login_s)

    async def _event(self, event: Event) -> None:
        session = self._session
        if isinstance(event, Continue):
            session.put(event.octets)
            session.flush()
            return
        if isinstance(event, AppendOctets):
            await self._take(event.octets)
            return
        try:
            answer = await self._answer(event)
        except CancelledError:
            raise
        except MailError as fault:
            row = event.row if isinstance(event, Asked | AppendStart) else None
            create = isinstance(event, AppendEnd) or (row and row.try_create)
            answer = answer_for(fault, try_create=bool(create))
        except Exception:
            log.failure("answering {event}", event=type(event).__name__)
            answer = answer_for(MailError())
        if answer is None:
            return
        await self._finish(event, answer)

    async def _finish(self, event: Event, answer: Answer) -> None:
        """Untagged changes, then the tagged line."""
        session = self._session
        row = event.row if isinstance(event, Asked) else None
        try:
            await session.look()
        except MailError:  # the mailbox was deleted by another session
            session.put(bye("The selected mailbox is gone"))
            session.flush()
            self.transport.loseConnection()
            return
        session.tell(row)
        session.put(self._engine.finish(answer))
        if isinstance(event, Refused):
            if event.deselects:
                await session.leave()
            if event.fatal:
                session.put(bye(event.fault.public))
        if self._starts_tls(event, answer):
            self._start_tls()
        session.flush()

    @staticmethod
    def _starts_tls(event: Event, answer: Answer) -> bool:
        asked = isinstance(event, Asked) and isinstance(event.command, StartTls)
        return asked and answer.kind is Kind.OK

    async def _answer(self, event: Event) -> Answer | None:
        """The answer to an event, or None if the command goes on."""
        session = self._session
        match event:
            case Refused():
                self._drop_upload()
                return answer_for(event.fault)
            case AppendStart():
                return await self._append_start(event)
            case AppendEnd():
                return await self._append_end()
            case IdleDone():
                return ok("No longer idle")
            case Asked():
                session.tag = event.tag
                return await self._command(event.command)
        raise MailError()

    async def _command(self, command: Command) -> Answer | None:
        session = self._session
        handler = HANDLERS.get(type(command))
        if handler is not None:
            return await handler(session, command)
        match command:
            case Capability():
                session.put(untagged(b"CAPABILITY", session.capabilities()))
                return ok("Capabilities told")
            case Noop() | Check():
                return ok("Done")
            case Logout():
                session.put(bye("Goodbye"))
                return ok("Logged out")
            case Id():
                name = b'("name" "mailtwist" "version" %b)'
                session.put(untagged(b"ID", name % string(__version__.encode())))
                return ok("Identified")
            case StartTls():
                if self.factory.tls is None:
                    raise MailError("No TLS here", status="5.5.1")
                return ok("Begin TLS")
            case Login():
                return await self._enter(
                    session.authenticator.login_password(
                        command.user, command.password, session.peer
                    )
                )
            case Authenticate():
                initial = command.initial
                return await self._enter(
                    session.authenticator.login_sasl(
                        command.mechanism,
                        None if initial is None else initial.reveal(),
                        self._converse,
                        session.peer,
                    )
                )
            case Enable():
                names = enabled(command.capabilities, session.situation())
                session.condstore = session.condstore or "CONDSTORE" in names
                words = [name.encode() for name in names]
                session.put(untagged(b"ENABLED", *words))
                return ok("Enabled")
            case Idle():
                await session.look()
                session.put(self._engine.start_idle())
                session.tell(None)
                session.flush()
                return None
        raise MailError()

    # -- login ----------------------------------------------------------------

    async def _enter(self, login: Awaitable[Any]) -> Answer:
        session = self._session
        session.login = await login
        logged_in = evolve(session.situation(), state=State.AUTHENTICATED)
        return ok("Logged in", b"CAPABILITY " + capabilities(logged_in))

    def _converse(self, challenge: bytes) -> Deferred[bytes]:
        self._session.put(self._engine.challenge(challenge))
        self._session.flush()
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
            waiting.callback(event.octets.reveal())
        elif isinstance(event, Refused):
            waiting.errback(event.fault)
        else:
            waiting.errback(MailError())

    # -- APPEND ---------------------------------------------------------------

    async def _append_start(self, event: AppendStart) -> Answer | None:
        """The target is looked at before the octets are asked for (§6.3.11)."""
        mailboxes_ = self._session.mailboxes
        await mailboxes_.status(event.command.path)
        self._upload, self._append = mailboxes_.upload(), event.command
        self._session.put(self._engine.accept_append())
        self._session.flush()
        return None

    async def _take(self, octets: bytes) -> None:
        if self._upload is None:
            return
        waited = self._upload.write(octets)
        if waited is not None:
            self.transport.pauseProducing()
            try:
                await waited
            finally:
                self.transport.resumeProducing()

    async def _append_end(self) -> Answer:
        upload, command = self._upload, self._append
        self._upload = self._append = None
        if upload is None or command is None:
            raise MailError()
        done = await self._session.mailboxes.append(
            command.path, [(upload, command.flags, command.internal_date)]
        )
        return ok("Appended", append_uid(done))

    def _drop_upload(self) -> None:
        if self._upload is not None:
            self._upload.abort()
        self._upload = self._append = None

    # -- changes while idle ---------------------------------------------------

    def _changed(self, modseq: int) -> None:
        """A hint from the mailbox; only IDLE is told at once."""
        if self._engine.idling and self._serving is None and not self._poked:
            self._poked = True
            done = Deferred.fromCoroutine(self._poke())
            done.addErrback(lambda f: log.failure("telling IDLE", failure=f))

    async def _poke(self) -> None:
        await self._turn()
        self._poked = False
        session = self._session
        if not self.connected or session.selected is None:
            return
        try:
            await session.look()
        except MailError:
            self._end(bye("The selected mailbox is gone"))
            return
        if self._engine.idling:
            session.tell(None)
            session.flush()

    # -- TLS and the end ------------------------------------------------------

    def _start_tls(self) -> None:
        session = self._session
        session.flush()
        peer = session.peer
        session.peer = Peer(peer.address, True, peer.session, "imap4")
        self.transport.unregisterProducer()
        self.transport.startTLS(self.factory.tls)
        self.transport.registerProducer(self, True)

    def _served(self, result: object) -> None:
        self._serving = None
        if not isinstance(result, Failure):
            if self.connected:
                self.transport.resumeProducing()
                if self._half_closed:
                    self.transport.loseConnection()
        elif not result.check(CancelledError):
            log.failure("serving IMAP", failure=result)
            self.transport.abortConnection()

    def _timed_out(self) -> None:
        if self._serving is not None and self._response is None:
            self.transport.abortConnection()  # it does not read what it asked for
            return
        self._end(bye("Waited too long for you"))

    def _end(self, last: bytes) -> None:
        self._engine.state = State.LOGOUT
        self._session.put(last)
        self._session.flush()
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        if self._timer.active():
            self._timer.cancel()
        self._timer = self.factory.reactor.callLater(
            SLOW_READER_S, self.transport.abortConnection
        )


class IMAP4Factory(Factory):
    """Makes IMAP connections."""

    protocol = IMAP4Server  # type: ignore[assignment]
    noisy = False
    too_many = bye("Too many connections, try again later", b"UNAVAILABLE")

    def __init__(
        self,
        *,
        reactor: Any,
        config: Imap4,
        hostname: str,
        authenticator: Any,
        tls: object | None,
    ) -> None:
        self.reactor, self.config, self.hostname = reactor, config, hostname
        self.authenticator, self.tls = authenticator, tls
        self.sessions: set[IMAP4Server] = set()

    def stop(self) -> None:
        """Every session says BYE and closes when its command is answered."""
        for session in list(self.sessions):
            session.stop()
