"""LMTP out of the queue (RFC 2033): to a host and port, or to a Unix socket."""

from __future__ import annotations

from collections.abc import Sequence

from ..queue.model import Host, Job, Outcome, TlsRule
from ..smtp.transport import Relaying
from ..smtp.transport_look import Look
from ..smtp.transport_session import Way

_WAY = Way(lmtp=True)


class LmtpTransport(Relaying):
    """The route "lmtp"; `next_hop` is "[host]:port" or "unix:/path"."""

    async def _attempt(self, job: Job, looked: Look) -> list[Outcome]:
        next_hop = job.route.next_hop
        hosts: Sequence[Host]
        if next_hop.startswith("unix:"):
            path = next_hop.removeprefix("unix:")
            hosts = (Host("localhost", 0, (path,), TlsRule("none"), authentic=True),)
        else:
            hosts = await self._hosts.hosts(next_hop)
        return await self._run(job, looked, next_hop, [(host, _WAY) for host in hosts])
