"""The Twisted side of POP3: moves octets, awaits answers, knows no POP3 rule."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ..auth.login import Authenticator, Peer
from ..config.reading import Pop3
from ..dialogue.server import DialogueServer
from ..errors import MailError, MessageGone
from .engine import Event, POP3Engine, State
from .grammar import Stls
from .maildrop import Maildrops
from .response import WRONG, Reply, err_for
from .session import Answer, Multi, Session

log = Logger()


class POP3Server(DialogueServer):
    """One POP3 connection."""

    protocol_name = "pop3"
    _engine: POP3Engine
    _session: Session

    def __init__(self, factory: POP3Factory) -> None:
        self._config = factory.config
        super().__init__(factory, POP3Engine(), factory.config.errors)

    @property
    def patience_s(self) -> float:
        """The autologout timer (RFC 1939 §3): no answer, nothing is deleted."""
        return self._config.idle_s

    def opened(self, peer: Peer) -> None:
        timestamp = self._factory.timestamp(peer)
        self._session = Session(
            self._engine,
            self._config,
            self._factory.authenticator,
            self._factory.maildrops,
            peer,
            tls_possible=self._factory.tls is not None,
            timestamp=timestamp,
            clock=self._reactor.seconds,
            ask=self.ask,
        )
        greeting = f"{self._factory.hostname} POP3 ready {timestamp.decode()}".rstrip()
        self._out.put(Reply(True, greeting).encode())

    def over(self, event: Event) -> str | None:
        return "quit" if self._engine.state is State.OVER else None

    def told_at_end(self) -> str:
        session = self._session
        return f", {session.retrieved} retrieved, {session.removed} deleted"

    async def answer(self, event: Event) -> None:
        answer = await self._answer_to(event)
        if isinstance(answer, Multi):
            await self._send(answer)
            return
        self._out.put(self._engine.reply(answer))
        if isinstance(event, Stls) and answer.ok:
            self.start_tls()

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
                self.abort("message expunged meanwhile" if gone else "fault")
                return
        else:
            for piece in body:
                self._out.put(piece)
                if self._out.full:
                    await self._out.drained()
        self._engine.end()


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
