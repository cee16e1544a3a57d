"""The Twisted side of ManageSieve: moves octets, awaits answers, knows no rule."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ..auth.login import Authenticator, Peer
from ..config.sieve import Sieve
from ..dialogue.server import MOST_PENDING, STALLED_S, STOPS, DialogueServer
from ..errors import MailError
from .engine import Event, ManageSieveEngine, State
from .grammar import Logout, StartTls
from .response import WRONG, Reply, no_for
from .session import Offer, Session

log = Logger()


class ManageSieveServer(DialogueServer):
    """One ManageSieve connection."""

    protocol_name = "manage_sieve"
    _engine: ManageSieveEngine
    _session: Session

    def __init__(self, factory: ManageSieveFactory) -> None:
        self._config = config = factory.config
        super().__init__(
            factory, ManageSieveEngine(config.script_octets), config.session_errors
        )
        self.most_pending = MOST_PENDING + config.script_octets

    @property
    def patience_s(self) -> float:
        """What a stranger says counts not."""
        after = self._engine.state is State.AFTER
        return self._config.session_idle_s if after else self._config.session_login_s

    @property
    def stalled_s(self) -> float:
        return min(STALLED_S, self._config.session_idle_s)

    def opened(self, peer: Peer) -> None:
        self._session = Session(
            self._factory.offer,
            self._factory.authenticator,
            peer,
            tls_possible=self._factory.tls is not None,
            ask=self.ask,
        )
        self._tell_capabilities(f"{self._factory.hostname} ManageSieve ready")

    def _tell_capabilities(self, text: str = "") -> None:
        told = self._session.capabilities()
        self._out.put(Reply("OK", text, data=told.data).encode())
        self._out.flush()

    def part(self, why: str) -> None:
        """Tell the client why, and close (RFC 5804 §1.1)."""
        if not self._closing:
            code = b"TRYLATER" if why == STOPS else b""
            self._out.put(Reply("BYE", why, code).encode())
        self.finish(why)

    def idle(self) -> None:
        after = self._engine.state is State.AFTER
        self.part("idle too long" if after else "too long without a login")

    def heard(self, before: object) -> bool:
        return State.AFTER in (before, self._engine.state)

    def over(self, event: Event) -> str | None:
        if self._engine.state is not State.OVER:
            return None
        return "logout" if isinstance(event, Logout) else "no way to go on"

    async def answer(self, event: Event) -> None:
        answer = await self._answer_to(event)
        self._out.put(self._engine.reply(answer))
        if isinstance(event, StartTls) and answer.ok:
            self.start_tls()
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
