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
class SmtpTransport:
    """Routes "smtp" and, with `lmtp`, "lmtp".

    `next_hop` of a route is "" (the MX of the recipients' domain), a domain (its MX),
    "[host]:port", or for LMTP "unix:/path"."""

    def __init__(
        self,
        reactor: Any,
        config: Relay,
        hosts: IHosts,
        connections: Connections,
        *,
        lmtp: bool = False,
    ) -> None:
        self._reactor, self._config, self._hosts = reactor, config, hosts
        self._connections, self._lmtp = connections, lmtp

    def destination(self, job: Job) -> str:
        return job.route.next_hop or job.recipients[0].address.domain

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        try:
            looked = await look(content)
            if looked.hops > self._config.hops:
                raise MailLoop()
            return await self._attempt(job, looked)
        except (CancelledError, GeneratorExit):
            raise
        except MailError as fault:
            return [Outcome(fault)] * len(job.recipients)
        except Exception:  # a fault of ours: the mail waits
            log.failure("sending {message}", message=job.message.queue_id)
            return [Outcome(MailError())] * len(job.recipients)

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
        def tls_told(host: Host, address: str, failure: str) -> None:
            self._hosts.tls_result(next_hop, host, address, failure)

        try:
            hosts: Sequence[Host] = await self._find(next_hop)
        except MailError as fault:
            return [Outcome(fault)] * len(job.recipients)
        way = Way(lmtp=self._lmtp)
        attempt = Attempt(self._reactor, self._connections, job, looked, tls_told)
        return await attempt.run([(host, way) for host in hosts])

    async def _find(self, next_hop: str) -> Sequence[Host]:
        if next_hop.startswith("unix:"):
            return (Host("localhost", 0, (next_hop.removeprefix("unix:"),)),)
        return await self._hosts.hosts(next_hop)
