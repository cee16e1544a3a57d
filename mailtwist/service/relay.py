"""Sending to other hosts, from the configuration: resolver, hosts, connections."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import SystemRandom
from typing import Any

from twisted.application.service import Service

from ..address import ascii_domain
from ..config.listener import parameters, translated
from ..config.model import Config, Listener
from ..directory.reread import Open, open_here
from ..dns.resolver import Resolver
from ..errors import ConfigError
from ..interfaces import IDelivery, IRouter
from ..queue.https import Https
from ..queue.model import Host
from ..queue.mx import Hosts, Ourselves, is_usable
from ..queue.sts_policies import StsPolicies
from ..queue.tls_policy import TlsPolicies
from ..queue.tls_reports import TlsReports
from ..queue.tls_store import FILE, TlsStore
from ..queue.tlsrpt import Reporting
from .queue import EpochClock, new_id
from .transports import Transports

ANY4, ANY6 = IPv4Address(0), IPv6Address(0)  # what Twisted takes for no interface


class Relaying(Service):
    """Everything between the queue and other hosts; `router` and `delivery` take the
    TLS reports that go by mail."""

    def __init__(
        self,
        reactor: Any,
        config: Config,
        hostname: str,
        router: IRouter,
        delivery: IDelivery,
        open_: Open = open_here,
    ) -> None:
        """Raises ConfigError for what `load` cannot see."""
        self.setName("relay")
        relay = config.relay
        name = relay.hostname or hostname
        try:
            self.resolver = Resolver(config.dns, reactor=reactor)
        except ValueError as fault:
            raise ConfigError(f"dns.servers: {fault}") from fault
        clock = EpochClock(reactor)
        self._store = TlsStore(reactor, os.path.join(config.server.data, FILE))
        https = Https(
            reactor,
            self.resolver,
            usable=lambda address: is_usable(address, relay.loopback_hosts),
            ca=relay.ca,
        )
        self._sts = StsPolicies(self.resolver, https, self._store, now=clock.seconds)
        self._reports = TlsReports(
            clock=clock,
            resolver=self.resolver,
            store=self._store,
            https=https,
            router=router,
            delivery=delivery,
            reporting=Reporting(hostname, contact(config, hostname)),
            new_id=new_id,
            sts_text=self._sts.text,
        )
        self._reporting = relay.tlsrpt
        try:
            policies = TlsPolicies(config, self.resolver, self._sts)
        except ValueError as fault:
            raise ConfigError(f"tls_policy.destination: {fault}") from fault
        self.hosts = Hosts(
            self.resolver,
            relay,
            policies=policies,
            ourselves=Ourselves(
                frozenset({name.lower(), hostname.lower()}),
                listens_at(config.listener),
            ),
            random=SystemRandom(),
            tls_told=self._tls_told,
        )
        self._transports = Transports(reactor, config, name, self.hosts, open_)
        self.transports = self._transports.by_name

    def _tls_told(self, domain: str, host: Host, address: str, failure: str) -> None:
        if self._reporting:
            self._reports.told(domain, host, address, failure)

    def lead(self) -> None:
        """We run the queue: reports are ours to send."""
        if self._reporting:
            self._reports.start()

    async def close(self) -> None:
        """End what is kept and what is looked up; the queue has stopped before."""
        self._transports.close()
        self._sts.close()
        await self._reports.stop()
        await self._store.close()
        self.resolver.close()


def contact(config: Config, hostname: str) -> str:
    """Who answers for the reports of this host."""
    domain = config.domain[0].name if config.domain else hostname
    return f"postmaster@{ascii_domain(domain)}"


def listens_at(listeners: Sequence[Listener]) -> Callable[[str, int], bool]:
    """Tells whether mail sent to an IP address and port would come back to us."""
    sockets = [
        found
        for listener in listeners
        if listener.protocol == "smtp"
        for found in [_socket(translated(listener).endpoint)]
        if found is not None
    ]

    def ours(address: str, port: int) -> bool:
        ip = ip_address(address)
        for interface, listened in sockets:
            if listened == port and (
                ip == interface or (interface.is_unspecified and is_local(address))
            ):
                return True
        return False

    return ours


def _socket(endpoint: str) -> tuple[Any, int] | None:
    """(address, port) of a TCP endpoint; None for what is not known before it is
    opened."""
    kind = endpoint.partition(":")[0]
    if kind not in ("tcp", "tcp6"):
        return None
    given = parameters(endpoint)
    try:
        interface = given.get("interface") or (ANY4 if kind == "tcp" else ANY6)
        return ip_address(interface), int(given["port"])
    except ValueError:  # a host name: the system chooses the address
        return None


def is_local(address: str) -> bool:
    """True if this machine has the address: a socket can be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
