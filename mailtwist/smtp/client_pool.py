"""Connections to other hosts: opened with what is asked of them, kept for a while."""

from __future__ import annotations

from typing import Any, Protocol

from attrs import field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ..config.relaying import Relay
from ..errors import MailError
from ..log import mail_log
from ..queue.model import Host
from .client import SMTPClient
from .client_engine import Result
from .client_tls import NOT_SUPPORTED, ClientTls, TlsFailed

log = Logger()

MOST_IDLE = 200  # connections kept in all
LIFETIME_S = 300.0  # of a connection; hosts change behind their names


class Login(Protocol):
    """How to log in at a host.  New credentials are a new login, and what was kept
    with the old one is not used for it."""

    def allowed(self) -> None:
        """Raises the fault of a login that was refused a moment ago."""

    async def log_in(self, client: SMTPClient) -> None:
        """Raises the fault of a refusal."""


@frozen
class Door:
    """A way to a host: what must be equal for a connection to be used again.

    `address` is an IP address, or the path of a Unix socket; `tls` trusts other CAs
    than usual."""

    host: Host
    address: str
    lmtp: bool = False
    implicit_tls: bool = False
    tls: ClientTls | None = None
    login: Login | None = field(default=None, eq=id)


class CannotConnect(MailError):
    status, public = "4.4.1", "Cannot connect to the other host"


class Connections:
    """Opens and keeps connections; `name` is said in EHLO."""

    def __init__(self, reactor: Any, config: Relay, name: str, tls: ClientTls) -> None:
        self._reactor, self._config, self._name = reactor, config, name
        self._tls = tls
        self._idle: dict[Door, list[SMTPClient]] = {}
        self._count = 0
        self._timers: dict[SMTPClient, Any] = {}
        self._closed = False

    def kept(self, door: Door) -> SMTPClient | None:
        """A connection that was kept, the youngest first."""
        while clients := self._idle.get(door):
            client = clients[-1]
            self._forget(door, client)
            if client.usable:
                return client
            client.abort()
        return None

    async def open(self, door: Door) -> tuple[SMTPClient, str | None]:
        """A new connection, ready for a transaction, and what became of TLS: "" if it
        is up, a result type of RFC 8460 §4.3 if not, None if it was not asked for.

        Raises CannotConnect, TlsFailed, or the fault of what the host refused."""
        rule = door.host.rule
        if door.login is not None:
            door.login.allowed()
        try:
            return await self._opened(door, starttls=rule.level != "none")
        except TlsFailed as fault:
            if rule.level != "may" or door.implicit_tls:
                raise
            log.info(
                "{host} is sent to without TLS: {why}",
                host=door.host.name,
                why=fault.public,
            )
            client, _ = await self._opened(door, starttls=False)
            return client, fault.result

    async def _opened(
        self, door: Door, *, starttls: bool
    ) -> tuple[SMTPClient, str | None]:
        client = await self._connect(door)
        try:
            result = await self._prepare(client, door, starttls=starttls)
        except BaseException:
            client.abort()
            raise
        proof = " of a proven name" if client.proven else ""
        mail_log.connected_to(
            door.host.name, door.address, door.host.port, client.protection, proof
        )
        client.lost = lambda: self._forget(door, client)
        return client, result

    async def _prepare(
        self, client: SMTPClient, door: Door, *, starttls: bool
    ) -> str | None:
        result: str | None = None
        if door.implicit_tls:
            tls = (door.tls or self._tls).connection(door.host)
            client.transport.startTLS(tls)
            await client.handshake(tls)
            result = tls.would_fail(client.transport.getHandle())
        await client.greet()
        if starttls and not client.secure:
            result = await self._start_tls(client, door)
        if door.login is not None:
            await door.login.log_in(client)
        return result

    async def _start_tls(self, client: SMTPClient, door: Door) -> str:
        host = door.host
        if "STARTTLS" not in client.engine.offer:
            if host.rule.level != "may":
                raise TlsFailed(
                    f"{host.name} offers no TLS, which is needed",
                    NOT_SUPPORTED,
                    status="4.7.4",
                )
            return NOT_SUPPORTED
        tls = (door.tls or self._tls).connection(host)
        try:
            await client.start_tls(tls)
        except TlsFailed:
            raise
        except MailError as fault:  # 454, or a connection that was cut there
            raise TlsFailed(fault.public, NOT_SUPPORTED) from fault
        return tls.would_fail(client.transport.getHandle())

    async def _connect(self, door: Door) -> SMTPClient:
        config, address = self._config, door.address
        limit_s = config.connect_s
        endpoint: Any
        if address.startswith("/"):
            endpoint = UNIXClientEndpoint(self._reactor, address, timeout=limit_s)
        else:
            ipv6 = ":" in address
            source = config.source_ipv6 if ipv6 else config.source_ipv4
            kind = TCP6ClientEndpoint if ipv6 else TCP4ClientEndpoint
            bind = (source, 0) if source else None
            endpoint = kind(
                self._reactor, address, door.host.port, limit_s, bindAddress=bind
            )
        client = SMTPClient(
            self._reactor, config, door.host.name, self._name, lmtp=door.lmtp
        )
        client.address = address
        factory = Factory.forProtocol(lambda: client)
        factory.noisy = False
        try:
            await endpoint.connect(factory)
        except ConnectingCancelledError as fault:
            raise CancelledError from fault
        except (ConnectError, OSError) as fault:
            why = str(fault).rstrip(".")
            raise CannotConnect(
                f"Cannot connect to {door.host.name} ({address}): {why}"
            ) from fault
        return client

    # -- keeping ----------------------------------------------------------------------

    def give_back(self, door: Door, client: SMTPClient) -> None:
        """Keep a connection for a next message, or say QUIT."""
        engine = client.engine
        most = engine.offer.limit("MAILMAX")  # RFC 9422
        age_s = self._reactor.seconds() - client.since_s
        if (
            self._closed
            or not client.usable
            or not self._config.idle_s
            or self._count >= MOST_IDLE
            or age_s > LIFETIME_S
            or (most and engine.transactions >= most)
        ):
            client.quit()
            return
        self._idle.setdefault(door, []).append(client)
        self._count += 1
        self._timers[client] = self._reactor.callLater(
            self._config.idle_s, self._too_long, door, client
        )

    def _forget(self, door: Door, client: SMTPClient) -> bool:
        """True if it was kept."""
        timer = self._timers.pop(client, None)
        if timer is None:
            return False
        if timer.active():
            timer.cancel()
        clients = self._idle[door]
        clients.remove(client)
        if not clients:
            del self._idle[door]
        self._count -= 1
        return True

    def _too_long(self, door: Door, client: SMTPClient) -> None:
        if self._forget(door, client):
            client.quit()

    def close(self) -> None:
        """Say QUIT on everything that is kept, and keep nothing from now on."""
        self._closed = True
        for door, clients in list(self._idle.items()):
            for client in list(clients):
                self._too_long(door, client)


def never_begun(results: tuple[Result, ...]) -> bool:
    """True if the host did not even look at MAIL: on a connection that was kept it had
    ended it meanwhile, so that a new one may be tried."""
    return all(
        r.command in ("MAIL", "RSET") and (r.reply is None or r.reply.code == 421)
        for r in results
    )
