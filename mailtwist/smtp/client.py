"""The Twisted side of the SMTP and LMTP client: one connection, and its waits.

Knows no rule of a transaction: the engine does.  Every wait has its time limit; content
is read in pieces, and no faster than the other host takes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..config.relaying import Relay
from ..errors import MailError
from ..interfaces import IContent
from .client_engine import (
    Challenge,
    Event,
    Finished,
    LoggedIn,
    Ready,
    Refused,
    Result,
    SendContent,
    SMTPClientEngine,
    TlsReady,
    Transaction,
)
from .client_reply import BadReply
from .client_stuffing import DotStuffer
from .client_tls import FAILED, Connection, TlsFailed

PIECE = 64 * 1024  # octets of content read at once
CHUNK = 4 * 1024 * 1024  # octets of one BDAT
HANDSHAKE_S = 60.0  # for TLS to come up
QUIT_S = 5.0  # for the answer to QUIT


class ConnectionLost(MailError):
    status, public = "4.4.2", "Connection to the other host lost"


class PeerTooSlow(MailError):
    status, public = "4.4.1", "The other host did not answer in time"


class Dead(MailError):
    """The connection was gone before the transaction began; nothing was lost."""

    status, public = "4.4.2", "Connection to the other host lost while it was idle"


@implementer(IHandshakeListener, IPushProducer)
class SMTPClient(Protocol):
    """One connection to `host`; use `greet`, then what is needed of `start_tls` and
    `log_in`, then `send` as often as wanted, then `quit` or `abort`."""

    transport: Any

    def __init__(
        self, reactor: Any, config: Relay, host: str, name: str, *, lmtp: bool = False
    ) -> None:
        self.engine = SMTPClientEngine(host, name, lmtp=lmtp)
        self.host = host
        self.address = ""  # of the other end
        self.secure = False  # TLS is up
        self.proven = False  # the other end proved its name, as its rule asked
        self.since_s = reactor.seconds()  # when it was made
        self.lost: Callable[[], object] | None = None  # told when it is gone
        self._reactor, self._config = reactor, config
        self._gone: MailError | None = None
        self._why = ""
        self._waiting: Deferred[None] | None = None
        self._clogged = False
        self._quitting: Any = None  # the timer behind QUIT

    # -- what Twisted calls -----------------------------------------------------------

    def connectionMade(self) -> None:
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self._quitting is not None:
            self.transport.loseConnection()
            return
        self.engine.receive(data)
        if self._waiting is not None:
            self._wake()
        elif self.engine.idle:  # nothing was asked: a 421, or no SMTP
            self._idle_talk()

    def handshakeCompleted(self) -> None:
        self.secure = True
        self._wake()

    def pauseProducing(self) -> None:
        self._clogged = True

    def resumeProducing(self) -> None:
        self._clogged = False
        self._wake()

    def stopProducing(self) -> None:
        """The connection is lost, as connectionLost says."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._why = reason.getErrorMessage()
        self._gone = self._gone or ConnectionLost(f"Connection to {self.host} lost")
        self._clogged = False
        if self._quitting is not None and self._quitting.active():
            self._quitting.cancel()
        self._wake()
        if self.lost is not None:
            self.lost()

    def _idle_talk(self) -> None:
        try:
            self.engine.next_event()
        except MailError as fault:
            self._gone = self._gone or fault
        if self.engine.closed:
            self.abort()

    # -- the beginning ----------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """True if a transaction may begin."""
        return self._gone is None and self.engine.idle and self._quitting is None

    async def greet(self) -> None:
        """Greeting and EHLO; raises the fault of a refusal."""
        event = await self._next(self._config.greeting_s, "greeting")
        self._expect(event, Ready)

    async def start_tls(self, tls: Connection) -> None:
        """STARTTLS, the handshake, the certificate judged, EHLO again.

        Raises TlsFailed, or the fault of a refused STARTTLS."""
        self.engine.starttls()
        event = await self._next(self._config.command_s, "reply to STARTTLS")
        self._expect(event, TlsReady)
        self.transport.startTLS(tls)
        await self.handshake(tls)
        self.engine.tls_started()
        event = await self._next(self._config.command_s, "reply to EHLO")
        self._expect(event, Ready)

    async def handshake(self, tls: Connection) -> None:
        """Wait for TLS and judge the certificate; raises TlsFailed."""
        while not self.secure:
            if self._gone is not None:
                raise TlsFailed(f"TLS with {self.host} failed: {self._why}", FAILED)
            try:
                await self._woken(HANDSHAKE_S, "TLS handshake")
            except PeerTooSlow as fault:
                raise TlsFailed(fault.public, FAILED, status="4.4.1") from fault
        try:
            self.proven = tls.checked(self.transport.getHandle())
        except TlsFailed:
            self.abort()
            raise

    async def log_in(
        self,
        mechanism: str,
        initial: bytes | None,
        respond: Callable[[bytes], Awaitable[bytes]],
        done: Callable[[], None],
    ) -> None:
        """AUTH; `respond` answers challenges, `done` raises if the server proved
        nothing where it must.  Raises the fault of a refusal."""
        self.engine.auth(mechanism, initial)
        while True:
            event = await self._next(self._config.command_s, "reply to AUTH")
            if isinstance(event, Challenge):
                try:
                    answer = await respond(event.octets)
                except MailError:
                    self.engine.respond(None)
                    await self._next(self._config.command_s, "reply to AUTH")
                    raise
                self.engine.respond(answer)
                continue
            self._expect(event, LoggedIn)
            done()
            return

    def _expect(self, event: Event, kind: type) -> None:
        if isinstance(event, Refused):
            raise event.fault
        if not isinstance(event, kind):
            raise BadReply()

    @property
    def protection(self) -> str:
        """Version and cipher of TLS, "" without."""
        if not self.secure:
            return ""
        handle = self.transport.getHandle()
        return f"{handle.get_protocol_version_name()} {handle.get_cipher_name()}"

    # -- a transaction ----------------------------------------------------------------

    async def send(
        self, transaction: Transaction, content: IContent
    ) -> tuple[Result, ...]:
        """One transaction; a result for each of its recipients.

        Raises Dead if the connection was gone before anything was said; a cancelled
        one is cut off, as nobody knows what the server made of it."""
        if not self.usable:
            raise Dead()
        self.engine.begin(transaction)
        limit_s, what = self._config.command_s, "reply"
        try:
            while True:
                try:
                    event = await self._next(limit_s, what)
                except MailError as fault:
                    self.abort()
                    event = self.engine.lost(fault) or Finished(())
                if isinstance(event, Finished):
                    if self.engine.closed:
                        self.abort()
                    return event.results
                if not isinstance(event, SendContent):
                    raise BadReply()
                try:
                    await self._content(transaction, content)
                except MailError as fault:  # what the server says of it counts more
                    finished = self.engine.next_event() or self.engine.lost(fault)
                    self.abort()
                    return finished.results if isinstance(finished, Finished) else ()
                limit_s, what = self._config.end_s, "reply to the message"
        except BaseException:
            self.abort()
            raise

    async def _content(self, transaction: Transaction, content: IContent) -> None:
        if transaction.chunking:
            await self._chunk(content)
            return
        stuffer, at, write = DotStuffer(), 0, self.transport.write
        while at < content.octets:
            octets = await content.read(at, PIECE)
            if not octets:
                raise MailError("The message in the queue is shorter than it was")
            at += len(octets)
            out = stuffer.feed(octets)
            if at < content.octets:
                write(out)
                await self._drained()
                continue
            self._still_wanted()
            write(out + stuffer.finish())
            self.engine.content_sent()
            return
        write(stuffer.finish())
        self.engine.content_sent()

    async def _chunk(self, content: IContent) -> None:
        engine = self.engine
        start = engine.chunked_octets
        end = min(start + CHUNK, content.octets)
        last = end == content.octets
        out, at = engine.chunk(end - start, last=last), start
        while at < end:
            octets = await content.read(at, min(PIECE, end - at))
            if not octets:
                raise MailError("The message in the queue is shorter than it was")
            at += len(octets)
            self._still_wanted()
            self.transport.write(out + octets)
            out = b""
            if at < end:
                await self._drained()
        if out:  # an empty message
            self.transport.write(out)
        if last:
            engine.content_sent()
        else:
            engine.chunk_sent()

    async def _drained(self) -> None:
        """Wait until the other host took what was written."""
        while self._clogged:
            await self._woken(self._config.data_s, "taking the message")
            self._still_wanted()
        self._still_wanted()

    def _still_wanted(self) -> None:
        if self._gone is not None:
            raise self._gone
        if self.engine.interrupted:
            raise ConnectionLost(f"{self.host} talked while the message was sent")

    # -- waiting ----------------------------------------------------------------------

    async def _next(self, limit_s: float, what: str) -> Event:
        """The next event; the limit is for each reply.  Raises the fault that ended the
        conversation."""
        engine = self.engine
        until, replies = self._reactor.seconds() + limit_s, engine.replies
        while True:
            event = engine.next_event()
            out = engine.output()
            if out and self._gone is None:
                self.transport.write(out)
            if event is not None:
                return event
            if self._gone is not None:
                raise self._gone
            if engine.replies != replies:
                until, replies = self._reactor.seconds() + limit_s, engine.replies
            await self._woken(until - self._reactor.seconds(), what)

    async def _woken(self, limit_s: float, what: str) -> None:
        """Until something happened on the connection; raises PeerTooSlow."""
        timer = self._reactor.callLater(max(0.0, limit_s), self._late, what)
        waiting: Deferred[None] = Deferred(self._forget)
        self._waiting = waiting
        try:
            await waiting
        finally:
            if timer.active():
                timer.cancel()

    def _late(self, what: str) -> None:
        self._gone = PeerTooSlow(f"{self.host} timed out: {what}")
        waiting, self._waiting = self._waiting, None
        self.transport.abortConnection()
        if waiting is not None:
            waiting.errback(self._gone)

    def _forget(self, waiting: Deferred[None]) -> None:
        self._waiting = None

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    # -- the end ----------------------------------------------------------------------

    def quit(self) -> None:
        """Say QUIT and go, without anybody waiting for it."""
        if not self.usable:
            self.abort()
            return
        self.engine.quit()
        self.transport.write(self.engine.output())
        self.transport.unregisterProducer()
        self._quitting = self._reactor.callLater(QUIT_S, self.abort)

    def abort(self) -> None:
        """Cut the connection off."""
        self.engine.closed = True
        self._gone = self._gone or ConnectionLost()
        self.transport.abortConnection()
