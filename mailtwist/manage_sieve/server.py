"""The Twisted side of ManageSieve: moves octets, awaits answers, knows no rule."""

from __future__ import annotations

import secrets
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
from ..config.sieve import Sieve
from ..errors import MailError
from ..log import mail_log
from ..pop3.outflow import Outflow
from .engine import Event, ManageSieveEngine, State
from .grammar import Logout, StartTls
from .response import WRONG, Reply, no_for
from .session import Offer, Session

log = Logger()

MOST_PENDING = 64 * 1024  # octets of pipelined commands beside the largest script
MOST_AT_ONCE = 128  # commands answered before other connections get their turn
STALLED_S = 300.0  # a client that reads nothing for so long is cut off
CLOSE_S = 30.0  # a client that does not take the end is cut off
PROTOCOL = "manage_sieve"


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class ManageSieveServer(Protocol):
    """One ManageSieve connection."""

    transport: Any
    listener = ""  # its name in the configuration

    def __init__(self, factory: ManageSieveFactory) -> None:
        self._factory, self._reactor = factory, factory.reactor
        self._config = factory.config
        self._engine = ManageSieveEngine(factory.config.script_octets)
        self._serving: Deferred[None] | None = None
        self._answered: Deferred[None] | None = None  # waits for a SASL response
        self._errors, self._why = 0, "connection lost"
        self._reading, self._closing, self._stopping = True, False, False
        self._half_closed = False
        self._closer: Any = None

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
            PROTOCOL,
            self.listener,
            TlsChannel(self.transport) if tls else None,
        )
        stalled_s = min(STALLED_S, self._config.session_idle_s)
        self._out = Outflow(self.transport, self._reactor, stalled_s, self._stalled)
        self._session = Session(
            self._factory.offer,
            self._factory.authenticator,
            peer,
            tls_possible=self._factory.tls is not None,
            ask=self._ask,
        )
        self._idle = self._reactor.callLater(self._patience_s, self._idle_out)
        self._factory.sessions.add(self)
        mail_log.connected(peer.session, PROTOCOL, peer.address, tls)
        self._tell_capabilities(f"{self._factory.hostname} ManageSieve ready")

    def _tell_capabilities(self, text: str = "") -> None:
        told = self._session.capabilities()
        self._out.put(Reply("OK", text, data=told.data).encode())
        self._out.flush()

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        self._engine.receive(data)
        if self._serving is None:
            self._begin()
            return
        answered, self._answered = self._answered, None
        most = MOST_PENDING + self._config.script_octets
        if answered is not None:
            answered.callback(None)
        elif self._engine.pending > most and self._reading:
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
        self._session.close()
        self._factory.sessions.discard(self)
        mail_log.disconnected(self._session.peer.session, PROTOCOL, self._why)

    def handshakeCompleted(self) -> None:
        handle = self.transport.getHandle()
        mail_log.tls_started(
            self._session.peer.session,
            PROTOCOL,
            handle.get_protocol_version_name(),
            handle.get_cipher_name() or "",
        )

    def stop(self) -> None:
        """Answer the command at hand, then close; at once if there is none."""
        self._stopping = True
        if self._serving is None or self._answered is not None:
            self._bye("server stops", b"TRYLATER")

    @property
    def said_all(self) -> bool:
        """True if the last answer was written and the socket took all of it."""
        return self._closing and not self._out.full

    def _bye(self, why: str, code: bytes = b"") -> None:
        """Tell the client why, and close (RFC 5804 §1.1)."""
        if not self._closing:
            self._out.put(Reply("BYE", why, code).encode())
        self._finish(why)

    def _finish(self, why: str) -> None:
        """Close when everything was written."""
        if self._closing:
            return
        self._closing, self._why = True, why
        self._session.close()
        self._out.end()
        self._closer = self._reactor.callLater(CLOSE_S, self.transport.abortConnection)
        self.transport.loseConnection()

    def _abort(self, why: str) -> None:
        self._closing, self._why = True, why
        self.transport.abortConnection()

    @property
    def _patience_s(self) -> float:
        """How long a silent client is waited for; what a stranger says counts not."""
        after = self._engine.state is State.AFTER
        return self._config.session_idle_s if after else self._config.session_login_s

    def _idle_out(self) -> None:
        if self._serving is not None and self._answered is None:
            self._idle = self._reactor.callLater(self._patience_s, self._idle_out)
        else:
            after = self._engine.state is State.AFTER
            self._bye("idle too long" if after else "too long without a login")

    def _stalled(self) -> None:
        self._abort("client does not read")

    # -- commands ---------------------------------------------------------------------

    def _begin(self) -> None:
        self._serving = serving = Deferred.fromCoroutine(self._serve())
        serving.addBoth(self._served)

    async def _serve(self) -> None:
        count = 0
        while (event := self._engine.next_event()) is not None:
            before = self._engine.state
            await self._answer(event)
            if self._closing:
                return
            after = self._engine.state
            if after is State.OVER:
                logout = isinstance(event, Logout)
                self._finish("logout" if logout else "no way to go on")
                return
            if self._idle.active() and State.AFTER in (before, after):
                self._idle.reset(self._patience_s)
            if self._stopping:
                self._bye("server stops", b"TRYLATER")
                return
            if self._errors >= self._config.session_errors:
                self._bye("too many errors")
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
                log.failure("serving ManageSieve", failure=result)
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
        self._out.put(self._engine.reply(answer))
        if isinstance(event, StartTls) and answer.ok:
            self._out.flush()
            self.transport.startTLS(self._factory.tls)
            self._session.started_tls(TlsChannel(self.transport))
            self._tell_capabilities()  # RFC 5804 §2.2

    async def _answer_to(self, event: Event) -> Reply:
        try:
            return await self._session.handle(event)
        except CancelledError:  # the connection is gone
            raise
        except MailError as fault:
            if isinstance(fault, WRONG):
                self._errors += 1
            return no_for(fault)
        except Exception:
            log.failure("answering {event}", event=event)
            return no_for(MailError())

    async def _ask(self, challenge: bytes) -> bytes:
        """Carry a SASL challenge to the client and its response back."""
        self._out.put(self._engine.challenge(challenge))
        self._out.flush()
        while (response := self._engine.next_response()) is None:
            self._answered = Deferred()
            await self._answered
        return response


class ManageSieveFactory(Factory):
    """Builds ManageSieve connections; `tls` is what `startTLS` takes, None where
    STARTTLS is not offered."""

    noisy = False
    too_many = b'BYE (TRYLATER) "Too many connections, try again later"\r\n'

    def __init__(
        self,
        *,
        reactor: Any,
        config: Sieve,
        hostname: str,
        authenticator: Authenticator,
        tls: object | None,
        offer: Offer,
    ) -> None:
        self.reactor, self.config, self.hostname = reactor, config, hostname
        self.authenticator, self.tls, self.offer = authenticator, tls, offer
        self.sessions: set[ManageSieveServer] = set()

    def buildProtocol(self, addr: object) -> ManageSieveServer:
        return ManageSieveServer(self)

    def stop(self) -> None:
        """Let every session answer its command, then close it."""
        for session in list(self.sessions):
            session.stop()
