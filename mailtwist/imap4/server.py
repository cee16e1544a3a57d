"""The Twisted side of IMAP: moves octets and minds the clock, knows no IMAP rule."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..auth.channel import TlsChannel
from ..auth.login import Peer
from ..dialogue.at_once import write_at_once
from ..log import mail_log
from .cmd import dispatch, idle
from .commands import State
from .deflate import BadCompression, Deflater, Inflater
from .engine import IMAP4Engine
from .events import Asked, Event, Refused
from .response import Answer, Kind, bye, in_progress, ok
from .session import BUFFER_OCTETS, MailboxDeleted, Session, StreamBroken
from .types import Compress, StartTls, Unauthenticate

if TYPE_CHECKING:
    from .factory import IMAP4Factory

log = Logger()

MOST_PENDING = 64 * 1024  # octets of commands held while one is answered
SLICE_S = 0.005  # work at a time while others wait
PROGRESS_S = 10.0  # between two words that a command is still worked on
REST_S = 10.0  # until a compressed connection gives its dictionary back
LAST_WORDS_S = 60.0  # a client that does not take BYE is cut off after this


@implementer(IPushProducer, IHalfCloseableProtocol, IHandshakeListener)
class IMAP4Server(Protocol):
    """One IMAP connection; towards the transport the producer of long answers.

    One coroutine at a time serves it: commands one after the other, and what IDLE is
    told.  It runs while there is something to do and costs nothing while there is not.
    """

    transport: Any
    listener = ""  # its name in the configuration
    factory: IMAP4Factory
    _serving: Deferred[None] | None = None
    _running: Any = None  # its coroutine
    _waiting: Deferred[None] | None = None  # for the client to take octets, or a turn
    _arrival: Deferred[None] | None = None  # for the client to send octets
    _stalled: Any = None  # the timer of a client that takes nothing
    _deflater: Deflater | None = None  # while COMPRESS is on
    _inflater: Inflater | None = None
    _rest: Any = None  # the timer of the deflater
    _progress: Any = None  # the timer of a command that takes long
    _event: Event | None = None  # that is answered
    _poll: Any = None  # the timer of the next look while IDLE
    _paused = _reading_paused = _half_closed = _ending = _lost = False
    _poked = _stopping = False
    _why = "connection lost"

    def connectionMade(self) -> None:
        factory, transport = self.factory, self.transport
        with suppress(AttributeError, OSError):  # a Unix socket has none
            transport.setTcpNoDelay(True)
        tls = ISSLTransport.providedBy(transport)
        host = getattr(transport.getPeer(), "host", None)
        peer = Peer(
            host if isinstance(host, str) else "local",
            tls,
            secrets.token_hex(6),
            "imap4",
            self.listener,
            TlsChannel(transport) if tls else None,
        )
        self._engine = IMAP4Engine(factory.config, tls=tls)
        self._session = Session(
            factory.config,
            factory.hostname,
            self._engine,
            peer,
            factory.authenticator,
            factory.tls is not None,
            self,
            urls=factory.urls,
            events=factory.events,
            sieve_url=factory.sieve_url,
        )
        factory.sessions.add(self)
        self._began = self._active = self._slice = self._written = self.now()
        self._timer = factory.reactor.callLater(factory.config.login_s, self._late)
        mail_log.connected(peer.session, "imap4", peer.address, tls)
        transport.registerProducer(self, True)
        code = b"CAPABILITY " + self._session.capabilities()
        transport.write(ok(f"{factory.hostname} IMAP4rev1 ready", code).encode())

    def handshakeCompleted(self) -> None:
        handle = self.transport.getHandle()
        mail_log.tls_started(
            self._session.peer.session,
            "imap4",
            handle.get_protocol_version_name(),
            handle.get_cipher_name() or "",
        )

    def dataReceived(self, data: bytes) -> None:
        if self._ending:
            return
        self._active = self.now()
        if self._inflater is None:
            self._engine.receive(data)
        else:
            self._inflater.feed(data)
        if self._arrival is not None:
            arrival, self._arrival = self._arrival, None
            arrival.callback(None)
        elif self._running is None:
            self._serve()
        elif self._pending > MOST_PENDING and not self._reading_paused:
            self._reading_paused = True
            self.transport.pauseProducing()

    @property
    def _pending(self) -> int:
        held = 0 if self._inflater is None else self._inflater.pending
        return held + self._engine.pending

    def readConnectionLost(self) -> None:
        """The client said all it has to say and still reads: answer, then close."""
        self._half_closed = True
        if self._arrival is not None:
            self._arrival.cancel()
        elif self._running is None:
            self._end(b"", "closed by the client")

    def writeConnectionLost(self) -> None:
        """Nobody reads what we say; connectionLost follows."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = self._ending = True
        self.factory.sessions.discard(self)
        timers = self._timer, self._stalled, self._poll, self._rest, self._progress
        for timer in timers:
            if timer is not None and timer.active():
                timer.cancel()
        if self._running is None:
            self._close()
        elif self._serving is not None and not self._running.cr_running:
            self._serving.cancel()

    def stop(self) -> None:
        """Say BYE when the command in hand is answered; waiting for one is none."""
        self._stopping = True
        if self._running is None or self._arrival is not None:
            self._say_stop()

    @property
    def said_all(self) -> bool:
        """True if BYE was written and the socket took all of it."""
        return self._ending and not self._paused

    def _say_stop(self) -> None:
        self._end(bye("Server is stopping", b"UNAVAILABLE"), "server stops")

    # -- session.Connection -----------------------------------------------------------

    def write(self, octets: bytes) -> None:
        if self._lost:
            return
        if self._deflater is not None:
            if self._deflater.rests:
                self._rest = self.factory.reactor.callLater(REST_S, self._may_rest)
            self._written = self.now()
            octets = self._deflater.write(octets)
        write_at_once(self.transport, octets)

    def now(self) -> float:
        seconds: float = self.factory.reactor.seconds()
        return seconds

    async def drained(self) -> None:
        if self._paused:
            await self._wait()

    async def pause(self) -> None:
        if self.now() - self._slice < SLICE_S:
            return
        self._session.flush()
        turn = self.factory.reactor.callLater(0, self._resume)
        try:
            await self._wait()
        finally:
            if turn.active():
                turn.cancel()
        await self.drained()
        self._slice = self.now()

    async def arrived(self) -> None:
        if self._half_closed:
            raise CancelledError()
        self._arrival = Deferred()
        try:
            await self._arrival
        finally:
            self._arrival = None

    def changed(self, modseq: int) -> None:
        """A hint; who waits for news is told, after whoever made the change is done
        with it."""
        waits = self._engine.idling or self._session.notice is not None
        if waits and not self._poked and not self._lost:
            self._poked = True
            self.factory.reactor.callLater(0, self._poke)

    def others(self) -> Iterable[Session]:
        return [server._session for server in self.factory.sessions]

    async def _wait(self) -> None:
        self._waiting = Deferred()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _resume(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    # -- the producer of what we write ------------------------------------------------

    def pauseProducing(self) -> None:
        self._paused = True
        if self._stalled is None:
            self._stalled = self.factory.reactor.callLater(
                self.factory.config.stalled_s, self._give_up
            )

    def resumeProducing(self) -> None:
        self._paused = False
        stalled, self._stalled = self._stalled, None
        if stalled is not None and stalled.active():
            stalled.cancel()
        self._resume()

    def stopProducing(self) -> None:
        """The transport is closing; connectionLost follows."""

    def _give_up(self) -> None:
        self._stalled = None
        self._abort("the client does not read")

    # -- serving ----------------------------------------------------------------------

    def _serve(self) -> None:
        """Run until there is nothing to do."""
        self._slice = self.now()
        self._running = self._work()
        serving = Deferred.fromCoroutine(self._running)
        if not serving.called:
            self._serving = serving
            self._progress_later()
        serving.addBoth(self._served)

    async def _work(self) -> None:
        session, engine = self._session, self._engine
        while not self._ending:
            event = engine.next_event()
            if event is not None:
                await self._handle(event)
                if session.held >= BUFFER_OCTETS:
                    session.flush()
                await self.drained()
                await self.pause()
            elif self._inflated():
                await self.pause()
            elif session.news:
                await idle.news(session)
                await self.drained()
                await self.pause()
            else:
                break
        session.flush()

    async def _handle(self, event: Event) -> None:
        self._event = event
        found = await dispatch.answer(self._session, event)
        if found is None:
            return
        await dispatch.finish(self._session, event, found)
        if self._engine.state is State.LOGOUT:
            last = isinstance(event, Refused)
            self._end(bye("Cannot go on") if last else b"", "logout")
        elif self._engine.bads >= self.factory.config.errors:
            self._end(bye("Too many errors"), "too many errors")
        elif self._stopping:
            self._say_stop()
        elif _done(event, found, Unauthenticate):
            self._began = self.now()
            self._end_compression()
        elif _done(event, found, Compress):
            self._start_compression()
        elif _done(event, found, StartTls):
            self._start_tls()

    def _served(self, result: object) -> None:
        self._serving = self._running = self._event = None
        progress, self._progress = self._progress, None
        if progress is not None and progress.active():
            progress.cancel()
        if isinstance(result, Failure):
            self._failed(result)
        if self._lost:
            self._close()
            return
        if self._ending:
            return
        if self._stopping:  # what was in hand was no command, but news for an IDLE
            self._say_stop()
            return
        ended = self._inflater is not None and self._inflater.ended
        if self._half_closed or ended:
            self._end(b"", "closed by the client")
            return
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resumeProducing()
        if self._session.pushes:
            self._poll_later()

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(MailboxDeleted):
            self._end(bye("The selected mailbox was deleted"), "mailbox deleted")
        elif failure.check(StreamBroken, BadCompression):
            self._abort(failure.getErrorMessage())
        else:
            log.failure("imap4 {s} broke", failure, s=self._session.peer.session)
            self._abort("internal error")

    # -- IDLE -------------------------------------------------------------------------

    def _poll_later(self) -> None:
        if self._poll is None:
            self._poll = self.factory.reactor.callLater(
                self.factory.config.poll_s, self._look
            )

    def _look(self) -> None:
        """See what other programs did in the folder."""
        self._poll = None
        if self._session.pushes:
            self._poke()

    def _poke(self) -> None:
        self._poked = False
        if self._running is None and not self._ending:
            self._serve()

    # -- long commands (RFC 9585) -----------------------------------------------------

    def _progress_later(self) -> None:
        self._progress = self.factory.reactor.callLater(PROGRESS_S, self._tell_progress)

    def _tell_progress(self) -> None:
        """A word for the client, unless it is its turn, or reads what it asked for."""
        self._progress_later()
        session, event = self._session, self._event
        waits = self._arrival is not None or self._paused or session.within
        if event is not None and not waits and session.login is not None:
            session.put(in_progress(event.tag if isinstance(event, Asked) else None))
            session.flush()

    # -- COMPRESS ---------------------------------------------------------------------

    def _start_compression(self) -> None:
        self._session.flush()
        self._deflater, self._inflater = Deflater(), Inflater()
        self._inflater.feed(self._engine.take_pending())

    def _end_compression(self) -> None:
        """Both streams end behind their last line (RFC 8437 §4.1)."""
        deflater, inflater = self._deflater, self._inflater
        self._session.flush()
        self._deflater = self._inflater = None
        if deflater is not None and inflater is not None:
            self.write(deflater.end())
            self._engine.receive(inflater.clear())

    def _inflated(self) -> bool:
        """Give the engine a piece of what came compressed; False if nothing did."""
        if self._inflater is None or not self._inflater.pending:
            return False
        self._engine.receive(self._inflater.take())
        return True

    def _may_rest(self) -> None:
        """An idle connection needs no dictionary."""
        left = self._written + REST_S - self.now()
        if left > 0:
            self._rest = self.factory.reactor.callLater(left, self._may_rest)
        elif self._deflater is not None:
            self._deflater.rest()

    # -- TLS and the end --------------------------------------------------------------

    def _start_tls(self) -> None:
        session = self._session
        session.flush()
        session.peer = evolve(
            session.peer, tls=True, channel=TlsChannel(self.transport)
        )
        self.transport.startTLS(self.factory.tls)

    def _late(self) -> None:
        """The one timer of a session that waits for its client."""
        config, now = self.factory.config, self.now()
        busy = self._running is not None and self._arrival is None
        if self._session.login is None:
            due = self._began + config.login_s
        else:
            due = (now if busy else self._active) + config.idle_s
        if due > now:
            self._timer = self.factory.reactor.callLater(due - now, self._late)
        else:
            self._end(bye("Waited too long for you"), "timeout")

    def _end(self, last: bytes, why: str) -> None:
        """Say `last` and close when it is written."""
        if self._ending:
            return
        self._ending, self._why = True, why
        self._session.put(last)
        self._session.flush()
        if self._timer.active():
            self._timer.cancel()
        self._timer = self.factory.reactor.callLater(LAST_WORDS_S, self._cut_off)
        if self._reading_paused:
            self.transport.resumeProducing()  # or the close is not seen
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _cut_off(self) -> None:
        self.transport.abortConnection()

    def _abort(self, why: str) -> None:
        self._ending, self._why = True, why
        self.transport.abortConnection()

    def _close(self) -> None:
        """Nothing runs and nobody listens: give back what the session holds."""
        peer = self._session.peer
        mail_log.disconnected(peer.session, "imap4", self._why)
        closing = Deferred.fromCoroutine(self._session.close())
        closing.addErrback(
            lambda failure: log.failure("imap4 {s} closing", failure, s=peer.session)
        )


def _done(event: Event, found: Answer, command: type[object]) -> bool:
    asked = isinstance(event, Asked) and isinstance(event.command, command)
    return asked and found.kind is Kind.OK
