"""Mail for elsewhere through smarthosts: in their order, with fall-back (RFC 6409)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve, frozen

from ..address import Address
from ..config.relaying import Relay, Smarthost
from ..errors import MailError
from ..host_port import host_port
from ..interfaces import IHosts
from ..queue.model import Host, Job, Outcome, TlsRule
from .client_pool import Connections, Login
from .client_tls import ClientTls
from .transport import Relaying
from .transport_look import Look
from .transport_session import Way

SUBMISSION = 587  # the port of a smarthost that names none


@frozen
class Exit:
    """One smarthost: its configuration, its CAs, and what gives our present login."""

    config: Smarthost
    tls: ClientTls
    login: Callable[[], Login] | None

    @property
    def next_hop(self) -> str:
        """As `IHosts.hosts` takes it."""
        host, port = host_port(self.config.host, SUBMISSION)
        return f"[{host}]:{port}"

    @property
    def rule(self) -> TlsRule:
        if self.config.tls == "none":
            return TlsRule("none")
        return TlsRule("verify" if self.config.verify else "encrypt")

    @property
    def way(self) -> Way:
        login = None if self.login is None else self.login()
        return Way(
            implicit_tls=self.config.tls == "implicit", tls=self.tls, login=login
        )

    def serves(self, sender: Address | None) -> bool:
        """True if mail of this reverse-path may go through here."""
        only = self.config.sender.lower()
        if not only:
            return True
        if sender is None:
            return False
        text = str(sender).lower()
        return text == only or (only.startswith("@") and text.endswith(only))


class SmarthostTransport(Relaying):
    """The route "smarthost"."""

    def __init__(
        self,
        reactor: Any,
        config: Relay,
        hosts: IHosts,
        connections: Connections,
        exits: Sequence[Exit],
    ) -> None:
        super().__init__(reactor, config, hosts, connections)
        self._exits = exits

    def _for(self, job: Job) -> list[Exit]:
        return [known for known in self._exits if known.serves(job.reverse_path)]

    def destination(self, job: Job) -> str:
        known = self._for(job)
        return f"smarthost {known[0].config.host}" if known else "smarthost"

    async def _attempt(self, job: Job, looked: Look) -> list[Outcome]:
        found: list[tuple[Host, Way]] = []
        fault: MailError = MailError(
            "No smarthost is there for this sender", status="4.4.4"
        )
        for known in self._for(job):
            try:
                hosts = await self._hosts.hosts(known.next_hop)
            except MailError as why:  # it may be the others' turn
                fault = MailError(why.public, status="4.4.3")
                continue
            found += [
                (evolve(host, rule=known.rule, authentic=True), known.way)
                for host in hosts
            ]
        if not found:
            return [Outcome(fault)] * len(job.recipients)
        return await self._run(job, looked, job.route.transport, found)
