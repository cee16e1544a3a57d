"""The Twisted side of POP3: moves octets, awaits answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any

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

from ..auth.login import Login, Peer
from ..config.model import Pop3
from ..errors import BadSequence, EncryptionNeeded, MailboxInUse, MailError
from ..log import mail_log
from ..mailbox.model import INBOX
from .capability import Circumstances, told
from .engine import POP3Engine, State
from .grammar import (
    Apop,
    Auth,
    Capa,
    Command,
    Dele,
    Lang,
    ListSizes,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
)
from .maildrop import Maildrop
from .response import WRONG, Reply, err_for, lines
from .text import DotStuffer, TopCutter, ascii_header

log = Logger()

MOST_PENDING = 64 * 1024  # octets of commands held while one is answered
CHUNK_OCTETS = 128 * 1024  # of a large message
AHEAD_OCTETS = 256 * 1024  # of small messages read with the one asked for
SLOW_READER_S = 120.0


@implementer(IPushProducer, IHalfCloseableProtocol)
class POP3Server(Protocol):
    """One POP3 connection; also the producer of its long answers."""

    transport: Any
    factory: POP3Factory
    _serving: Deferred[None] | None = None
    _half_closed = False
    _response: Deferred[bytes] | None = None
    _room: Deferred[None] | None = None

    def connectionMade(self) -> None:
        self.factory.sessions.add(self)
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        address = getattr(self.transport.getPeer(), "host", None)
        tls = ISSLTransport.providedBy(self.transport)
        address = address if isinstance(address, str) else "local"
        self.peer = Peer(address, tls, f"p{secrets.token_hex(5)}", "pop3")
        self._engine = POP3Engine()
        self._login: Login | None = None
        self._drop: Maildrop | None = None
        self._locked = ""
        self._ahead: dict[int, bytes] = {}
        self._out: list[bytes] = []
        self._errors, self._stopping, self._paused = 0, False, False
        self._timer = self.factory.reactor.callLater(
            self.factory.config.idle_s, self._timed_out
        )
        mail_log.connected(self.peer.session, "pop3", address, tls)
        host = self.factory.hostname
        number = secrets.token_hex(8)
        self._timestamp = f"<{number}.{int(time.time())}@{host}>".encode()
        text = f"mailtwist ready {self._timestamp.decode()}"
        self.transport.registerProducer(self, True)
        self.transport.write(Reply(True, text).encode())

    def dataReceived(self, data: bytes) -> None:
        self._engine.receive(data)
        if self._response is not None:
            self._next_response()
        elif self._serving is None:
            serving = Deferred.fromCoroutine(self._serve())
            if not serving.called:
                self._serving = serving
            serving.addBoth(self._served)
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
        self._leave()
        mail_log.disconnected(self.peer.session, "pop3", reason.getErrorMessage())

    def stop(self) -> None:
        """Close as soon as the command in hand is answered."""
        self._stopping = True
        if self._serving is None:
            self._end()

    # -- back-pressure: the transport tells when it is full -------------------

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def stopProducing(self) -> None:
        self.resumeProducing()

    async def _drained(self) -> None:
        """Until the client has taken enough of what was written."""
        self._flush()
        if self._paused:
            self._room = Deferred()
            await self._room

    # -- serving --------------------------------------------------------------

    async def _serve(self) -> None:
        engine = self._engine
        while (event := engine.next_event()) is not None:
            await self._answer(event)
            if engine.state is State.OVER or self._stopping:
                self._end()
                return
            if self._errors >= self.factory.config.errors:
                self._out.append(Reply(False, "Too many errors").encode())
                self._end()
                return
        self._flush()
        if self._timer.active():
            self._timer.reset(self.factory.config.idle_s)

    async def _answer(self, event: Command | MailError) -> None:
        try:
            if isinstance(event, MailError):
                raise event
            done = await self._do(event)
            if done is not None:
                self._out.append(self._engine.reply(done))
            if isinstance(event, Stls):
                self._flush()
                self.peer = Peer(self.peer.address, True, self.peer.session, "pop3")
                self.transport.unregisterProducer()
                self.transport.startTLS(self.factory.tls)
                self.transport.registerProducer(self, True)
        except CancelledError:
            raise
        except MailError as fault:
            self._errors += isinstance(fault, WRONG)
            self._out.append(self._engine.reply(err_for(fault)))
        except Exception:
            log.failure("answering {event}", event=type(event).__name__)
            self._out.append(self._engine.reply(err_for(MailError())))

    async def _do(self, event: Command) -> Reply | None:
        """The reply, or None if the answer was written already."""
        match event:
            case User():
                self._check_plaintext()
                return Reply(True, "Now the password")
            case Pass():
                self._check_plaintext()
                name = self._engine.user
                return await self._enter(
                    self.factory.authenticator.login_password(
                        name, event.password, self.peer
                    )
                )
            case Apop():
                return await self._enter(
                    self.factory.authenticator.login_apop(
                        event.name, self._timestamp, event.digest, self.peer
                    )
                )
            case Auth():
                return await self._auth(event)
            case Capa():
                self._listed("Capabilities", told(self._circumstances()))
                return None
            case Stls():
                if self.factory.tls is None or self.peer.tls:
                    raise BadSequence("TLS is up" if self.peer.tls else "No TLS here")
                return Reply(True, "Begin TLS")
            case Utf8():
                return Reply(True, "UTF-8 from now on")
            case Lang():
                return self._lang(event)
            case Noop():
                return Reply(True, "Nothing done")
            case Quit():
                return await self._quit()
        return await self._transaction(event)

    async def _transaction(self, event: Command) -> Reply | None:
        drop = self._drop
        if drop is None:
            raise BadSequence()
        match event:
            case Stat():
                messages, octets = drop.stat()
                return Reply(True, f"{messages} {octets}")
            case ListSizes():
                if event.number is None:
                    await self._long("Sizes", drop.sizes())
                    return None
                at = drop.index(event.number)
                return Reply(True, f"{event.number} {drop.octets[at]}")
            case Uidl():
                if event.number is None:
                    await self._long("Unique ids", drop.unique_ids())
                    return None
                at = drop.index(event.number)
                return Reply(True, f"{event.number} {drop.uidl(at)}")
            case Retr():
                await self._message(drop, drop.index(event.number), None)
                return None
            case Top():
                at = drop.index(event.number)
                await self._message(drop, at, TopCutter(event.lines))
                return None
            case Dele():
                drop.index(event.number)
                drop.deleted.add(event.number)
                return Reply(True, f"Message {event.number} goes at QUIT")
            case Rset():
                drop.deleted.clear()
                return Reply(True, "Nothing is deleted")
        raise BadSequence()

    def _circumstances(self) -> Circumstances:
        config, tls = self.factory.config, self.peer.tls
        authenticator = self.factory.authenticator
        return Circumstances(
            logged_in=self._login is not None,
            tls_possible=self.factory.tls is not None and not tls,
            plaintext=authenticator.plaintext(tls=tls),
            mechanisms=authenticator.mechanisms(tls=tls),
            expire=config.expire,
            login_delay_s=config.login_delay_s,
        )

    def _check_plaintext(self) -> None:
        if not self.factory.authenticator.plaintext(tls=self.peer.tls):
            raise EncryptionNeeded()

    def _listed(self, title: str, rows: list[bytes]) -> None:
        self._out.append(self._engine.begin(Reply(True, title)))
        self._out.append(lines(rows))
        self._engine.end()

    def _lang(self, event: Lang) -> Reply | None:
        """One language, "en" (RFC 6856 §3)."""
        if event.tag is None:
            self._listed("Languages", [b"en English"])
            return None
        if event.tag == "*" or event.tag.lower().split("-")[0] == "en":
            return Reply(True, "en Answers are in English")
        return Reply(False, "No such language here")

    # -- login ----------------------------------------------------------------

    async def _auth(self, event: Auth) -> Reply | None:
        if event.mechanism is None:
            mechanisms = self.factory.authenticator.mechanisms(tls=self.peer.tls)
            self._listed("Mechanisms", [name.encode() for name in mechanisms])
            return None
        return await self._enter(
            self.factory.authenticator.login_sasl(
                event.mechanism, event.initial, self._converse, self.peer
            )
        )

    async def _enter(self, login: Any) -> Reply:
        """Open the maildrop of a login that succeeds."""
        done = await login
        name = done.account.account.name
        if self.factory.config.lock:
            if name in self.factory.locked:
                done.logout()
                raise MailboxInUse()
            self.factory.locked.add(name)
            self._locked = name
        self._login = done
        try:
            mailbox = await done.account.mailboxes.open(INBOX)
            self._drop = await Maildrop.opened(mailbox)
        except BaseException:
            self._leave()
            raise
        messages, octets = self._drop.stat()
        return Reply(True, f"{messages} messages, {octets} octets")

    def _converse(self, challenge: bytes) -> Deferred[bytes]:
        self._out.append(self._engine.challenge(challenge))
        self._flush()
        self._response = Deferred()
        response = self._response
        self._next_response()
        return response

    def _next_response(self) -> None:
        try:
            octets = self._engine.next_response()
        except MailError as fault:
            waiting, self._response = self._response, None
            if waiting is not None:
                waiting.errback(fault)
            return
        if octets is not None and self._response is not None:
            waiting, self._response = self._response, None
            waiting.callback(octets)

    # -- long answers ---------------------------------------------------------

    async def _long(self, title: str, slices: Iterable[bytes]) -> None:
        self._out.append(self._engine.begin(Reply(True, title)))
        for octets in slices:
            self._out.append(octets)
            if len(octets) > 4096:
                await self._drained()
                await deferLater(self.factory.reactor, 0)
        self._out.append(b".\r\n")
        self._engine.end()

    async def _message(self, drop: Maildrop, at: int, top: TopCutter | None) -> None:
        """A whole message, or its top; large ones in pieces, never in memory."""
        size, position = drop.octets[at], 0
        piece = await self._first_piece(drop, at)
        title = "Top" if top else f"{size} octets"
        self._out.append(self._engine.begin(Reply(True, title)))
        stuffer = DotStuffer()
        if not self._engine.utf8:
            piece = ascii_header(piece)
            whole = min(size, CHUNK_OCTETS)
        else:
            whole = len(piece)
        position = whole if size > CHUNK_OCTETS else size
        while True:
            self._out.append(stuffer.stuff(top.cut(piece) if top else piece))
            if position >= size or (top and top.done):
                break
            await self._drained()
            piece = await drop.octets_of(at, position, CHUNK_OCTETS)
            position += CHUNK_OCTETS
        self._out.append(stuffer.end())
        self._engine.end()
        await self._drained()

    async def _first_piece(self, drop: Maildrop, at: int) -> bytes:
        """From what was read ahead, or with the small messages that follow."""
        ready = self._ahead.pop(at, None)
        if ready is not None:
            return ready
        if drop.octets[at] > CHUNK_OCTETS:
            return await drop.octets_of(at, 0, CHUNK_OCTETS)
        if self._engine.pending:
            self._ahead = await drop.octets_from(at, AHEAD_OCTETS)
            ready = self._ahead.pop(at, None)
            if ready is not None:
                return ready
        return await drop.octets_of(at, 0, drop.octets[at])

    # -- the end --------------------------------------------------------------

    async def _quit(self) -> Reply:
        drop = self._drop
        if drop is not None and drop.deleted:
            try:
                await drop.update()
            except MailError as fault:
                self._leave()
                text = "Some deleted messages are not removed"
                return Reply(False, f"{text}: {fault.public}", "SYS/TEMP")
        self._leave()
        return Reply(True, "Goodbye")

    def _leave(self) -> None:
        """Let go of the maildrop and the login."""
        if self._locked:
            self.factory.locked.discard(self._locked)
            self._locked = ""
        drop, self._drop = self._drop, None
        if drop is not None:
            closing = Deferred.fromCoroutine(drop.mailbox.close())
            closing.addErrback(lambda f: log.failure("closing", failure=f))
        login, self._login = self._login, None
        if login is not None:
            login.logout()

    def _served(self, result: object) -> None:
        self._serving = None
        if not isinstance(result, Failure):
            if self.connected:
                self.transport.resumeProducing()
                if self._half_closed:
                    self.transport.loseConnection()
        elif not result.check(CancelledError):
            log.failure("serving POP3", failure=result)
            self.transport.abortConnection()

    def _flush(self) -> None:
        if self._out:
            out, self._out = self._out, []
            self.transport.write(b"".join(out))

    def _timed_out(self) -> None:
        """RFC 1939 §3: closed without UPDATE."""
        if self._serving is not None and self._response is None:
            self.transport.abortConnection()  # it does not read what it asked for
            return
        self._end()

    def _end(self) -> None:
        self._engine.state = State.OVER
        self._flush()
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        if self._timer.active():
            self._timer.cancel()
        self._timer = self.factory.reactor.callLater(
            SLOW_READER_S, self.transport.abortConnection
        )


class POP3Factory(Factory):
    """Makes POP3 connections; `locked` names the maildrops in use."""

    protocol = POP3Server  # type: ignore[assignment]
    noisy = False
    too_many = b"-ERR [SYS/TEMP] Too many connections, try again later\r\n"

    def __init__(
        self,
        *,
        reactor: Any,
        config: Pop3,
        hostname: str,
        authenticator: Any,
        tls: object | None,
    ) -> None:
        self.reactor, self.config, self.hostname = reactor, config, hostname
        self.authenticator, self.tls = authenticator, tls
        self.sessions: set[POP3Server] = set()
        self.locked: set[str] = set()

    def stop(self) -> None:
        """Every session closes when its command is answered."""
        for session in list(self.sessions):
            session.stop()
