"""SMTP out of the queue: to the MX of a domain, or to a host that a route names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from zope.interface import implementer

from ..config.relaying import Relay
from ..errors import MailError
from ..interfaces import IContent, IHosts, ITransport
from ..queue.model import Host, Job, Outcome
from .client_pool import Connections
from .faults import MailLoop
from .transport_look import Look, look
from .transport_session import Attempt, Way

log = Logger()


@implementer(ITransport)
class Relaying:
    """What every way to other hosts shares; `_attempt` finds the hosts."""

    def __init__(
        self, reactor: Any, config: Relay, hosts: IHosts, connections: Connections
    ) -> None:
        self._reactor, self._config = reactor, config
        self._hosts, self._connections = hosts, connections

    def destination(self, job: Job) -> str:
        return job.route.next_hop or job.recipients[0].address.domain

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        try:
            looked = await look(content)
            if looked.hops > self._config.hops:
                raise MailLoop()
            return await self._attempt(job, looked)
        except CancelledError:
            raise
        except MailError as fault:
            return [Outcome(fault)] * len(job.recipients)
        except Exception:  # a fault of ours: the mail waits
            log.failure("sending {message}", message=job.message.queue_id)
            return [Outcome(MailError())] * len(job.recipients)

    async def _attempt(self, job: Job, looked: Look) -> list[Outcome]:
        """As `attempt`; may raise MailError for all recipients."""
        raise MailError("No way to send this", status="4.3.5")

    async def _run(
        self,
        job: Job,
        looked: Look,
        next_hop: str,
        hosts: Sequence[tuple[Host, Way]],
    ) -> list[Outcome]:
        def tls_told(host: Host, address: str, failure: str) -> None:
            if looked.tls_report:
                return
            self._hosts.tls_result(next_hop, host, address, failure)

        attempt = Attempt(self._reactor, self._connections, job, looked, tls_told)
        return await attempt.run(hosts)


class SmtpTransport(Relaying):
    """The route "smtp".

    `next_hop` is "" (the MX of the recipients' domain), a domain (its MX), or
    "[host]:port"."""

    async def _attempt(self, job: Job, looked: Look) -> list[Outcome]:
        next_hop = job.route.next_hop
        domains = {r.address.domain for r in job.recipients}
        if next_hop or len(domains) == 1:
            return await self._send(job, looked, next_hop or domains.pop())
        outcomes: dict[int, Outcome] = {}
        for domain in sorted(domains):  # each has its own hosts
            there = tuple(r for r in job.recipients if r.address.domain == domain)
            part = Job(job.message, there, job.reverse_path, job.route)
            results = await self._send(part, looked, domain)
            outcomes |= {r.number: one for r, one in zip(there, results, strict=True)}
        return [outcomes[r.number] for r in job.recipients]

    async def _send(self, job: Job, looked: Look, next_hop: str) -> list[Outcome]:
        try:
            hosts = await self._hosts.hosts(next_hop)
        except MailError as fault:
            return [Outcome(fault)] * len(job.recipients)
        way = Way()
        return await self._run(job, looked, next_hop, [(host, way) for host in hosts])
