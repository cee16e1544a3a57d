"""What each command does, for one client; knows no transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..auth.channel import TlsChannel
from ..auth.login import Authenticator, Login, Peer
from ..config.reading import Pop3
from ..errors import BadParameter, EncryptionNeeded, MailError, UnknownCommand
from ..foreign import NOTHING, missing
from ..mailbox.model import INBOX
from . import capability
from .engine import POP3Engine
from .grammar import (
    Apop,
    Auth,
    Capa,
    Command,
    Dele,
    Lang,
    ListSizes,
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
from .maildrop import Maildrop, Maildrops
from .response import Reply, lines

log = Logger()

LANGUAGES = {"en": "English"}


@frozen
class Multi:
    """A status line and what follows it, with the final dot.

    `body` is octets, or pieces of octets that are made while they are sent.
    """

    reply: Reply
    body: bytes | Iterator[bytes] | AsyncIterator[bytes]


Answer = Reply | Multi


class Session:
    """The commands of one connection.

    `ask(challenge)` carries a SASL challenge to the client, `clock()` gives seconds
    that only grow, `timestamp` is that of the greeting (b"" without APOP).  `close` is
    called when the connection is gone and when QUIT was answered.
    """

    def __init__(
        self,
        engine: POP3Engine,
        config: Pop3,
        authenticator: Authenticator,
        maildrops: Maildrops,
        peer: Peer,
        *,
        tls_possible: bool,
        timestamp: bytes,
        clock: Callable[[], float],
        ask: Callable[[bytes], Awaitable[bytes]],
    ) -> None:
        self.peer, self.retrieved, self.removed = peer, 0, 0
        self._engine, self._config = engine, config
        self._authenticator, self._maildrops = authenticator, maildrops
        self._tls_possible, self._timestamp = tls_possible, timestamp
        self._clock, self._ask = clock, ask
        self._drop: Maildrop | None = None
        self._missing = NOTHING
        self._releases: list[Callable[[], None]] = []

    async def handle(self, command: Command) -> Answer:
        """Do it; raises MailError for what the client is told as -ERR."""
        drop = self._drop
        if drop is None:
            return await self._before_login(command)
        match command:
            case Retr(number):
                return await self._retr(drop, number)
            case Top(number, count):
                return await self._top(drop, number, count)
            case Stat():
                return Reply(True, f"{drop.count} {drop.octets}")
            case ListSizes(number):
                return _listing(drop, number, drop.size_row)
            case Uidl(number):
                if "UIDL" in self._missing:
                    raise UnknownCommand("This account has no unique ids")
                return _listing(drop, number, drop.id_row)
            case Dele(number):
                drop.delete(number)
                return Reply(True, f"message {number} will be deleted")
            case Rset():
                drop.reset()
                return Reply(True, f"{drop.count} messages ({drop.octets} octets)")
            case Quit():
                return await self._quit(drop)
            case Capa() | Lang():
                return await self._anytime(command)
        return Reply(True, "")  # NOOP

    # -- AUTHORIZATION ----------------------------------------------------------

    async def _before_login(self, command: Command) -> Answer:
        match command:
            case User(_):
                if not self._authenticator.plaintext(tls=self.peer.tls):
                    raise EncryptionNeeded()
                return Reply(True, "send PASS")
            case Pass(password):
                return await self._enter(
                    await self._authenticator.login_password(
                        self._engine.user, password, self.peer
                    )
                )
            case Apop(name, digest):
                if not self._timestamp:
                    raise UnknownCommand("APOP is not offered")
                return await self._enter(
                    await self._authenticator.login_apop(
                        name, self._timestamp, digest, self.peer
                    )
                )
            case Auth(mechanism, initial):
                if mechanism is None:
                    return self._mechanisms()
                return await self._enter(
                    await self._authenticator.login_sasl(
                        mechanism, initial, self._ask, self.peer
                    )
                )
            case Stls():
                if self.peer.tls:
                    raise BadParameter("TLS is active already")
                if not self._tls_possible:
                    raise UnknownCommand("TLS is not offered")
                return Reply(True, "begin TLS now")
            case Utf8():
                return Reply(True, "UTF8 enabled")
            case Quit():
                return Reply(True, "bye")
        return await self._anytime(command)

    async def _anytime(self, command: Command) -> Answer:
        if isinstance(command, Capa):
            return Multi(
                Reply(True, "capabilities follow"),
                lines(capability.told(self._circumstances())),
            )
        tag = command.tag if isinstance(command, Lang) else None
        if tag is None:
            rows = [f"{tag} {name}".encode() for tag, name in LANGUAGES.items()]
            return Multi(Reply(True, "languages follow"), lines(rows))
        chosen = next(iter(LANGUAGES)) if tag == "*" else tag.lower()
        if chosen not in LANGUAGES:
            raise BadParameter("No such language here")
        return Reply(True, f"{chosen} {LANGUAGES[chosen]} it is")

    def started_tls(self, channel: TlsChannel) -> None:
        self.peer = evolve(self.peer, tls=True, channel=channel)

    def _circumstances(self) -> capability.Circumstances:
        tls = self.peer.tls
        return capability.Circumstances(
            logged_in=self._drop is not None,
            tls_possible=self._tls_possible and not tls and not self._engine.utf8,
            plaintext=self._authenticator.plaintext(tls=tls),
            mechanisms=self._authenticator.mechanisms(self.peer),
            expire=self._config.expire,
            login_delay_s=self._config.login_delay_s,
            missing=self._missing,
        )

    def _mechanisms(self) -> Answer:
        """AUTH alone (RFC 1734's habit; old clients look there)."""
        names = self._authenticator.mechanisms(self.peer)
        return Multi(
            Reply(True, "mechanisms follow"), lines([name.encode() for name in names])
        )

    async def _enter(self, login: Login) -> Reply:
        """Open the maildrop of a login that succeeded."""
        self._releases.append(login.logout)
        try:
            self._releases.append(self._maildrops.enter(login.name, self._clock()))
            self._missing = missing(login.account)
            mailboxes: Any = login.account.mailboxes
            mailbox = await mailboxes.open(INBOX)
            self._releases.append(lambda: _close(mailbox))
            self._drop = drop = await Maildrop.load(mailbox)
        except BaseException:  # the connection may be lost meanwhile, too
            self.close()
            raise
        return Reply(True, f"{drop.count} messages ({drop.octets} octets)")

    def close(self) -> None:
        """Let go of mailbox, lock and login."""
        self._drop = None
        while self._releases:
            self._releases.pop()()

    # -- TRANSACTION and UPDATE -------------------------------------------------

    async def _retr(self, drop: Maildrop, number: int) -> Answer:
        body = await self._message(drop, number, None)
        self.retrieved += 1
        return Multi(Reply(True, f"{drop.sizes[number - 1]} octets"), body)

    async def _top(self, drop: Maildrop, number: int, count: int) -> Answer:
        return Multi(Reply(True, ""), await self._message(drop, number, count))

    async def _message(
        self, drop: Maildrop, number: int, count: int | None
    ) -> bytes | AsyncIterator[bytes]:
        return await drop.message(
            number,
            count,
            utf8=self._engine.utf8,
            pipelined=self._engine.pending > 0,
        )

    async def _quit(self, drop: Maildrop) -> Reply:
        """UPDATE (RFC 1939 §6): all marked messages go at once, or the client knows."""
        doomed = drop.doomed()
        if doomed:
            try:
                await drop.mailbox.expunge(doomed)
            except CancelledError:
                raise
            except Exception as fault:
                if not isinstance(fault, MailError):
                    log.failure("expunging at QUIT, session {s}", s=self.peer.session)
                return Reply(False, "some deleted messages not removed", "SYS/TEMP")
            self.removed = len(doomed)
        return Reply(True, "bye")


def _listing(drop: Maildrop, number: int | None, row: Callable[[int], bytes]) -> Answer:
    """The answer of LIST and UIDL."""
    if number is not None:
        return Reply(True, row(drop.index(number)).decode())
    if drop.count == len(drop.uids) == 0:
        return Multi(Reply(True, "0 messages"), b".\r\n")
    return Multi(Reply(True, f"{drop.count} messages"), drop.listing(row))


def _close(mailbox: Any) -> None:
    closing = Deferred.fromCoroutine(mailbox.close())
    closing.addErrback(lambda failure: log.failure("closing a mailbox", failure))
