"""Routes that end here: an error, nothing at all, and what was done already."""

from __future__ import annotations

from zope.interface import implementer

from ..delivery.routes import route_fault
from ..interfaces import IContent, ITransport
from .model import Job, Outcome


@implementer(ITransport)
class ErrorTransport:
    """Fails with the status and text that the route says."""

    def destination(self, job: Job) -> str:
        """See ITransport."""
        return ""

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        """See ITransport."""
        fault = route_fault(job.route.next_hop)
        outcomes = []
        for recipient in job.recipients:
            reply = recipient.reply if recipient.host else ""
            outcomes.append(Outcome(fault, recipient.host, reply))
        return outcomes


@implementer(ITransport)
class DiscardTransport:
    """Takes mail and throws it away."""

    def destination(self, job: Job) -> str:
        """See ITransport."""
        return ""

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        """See ITransport."""
        return [Outcome(action="delivered")] * len(job.recipients)


@implementer(ITransport)
class DoneTransport:
    """What was delivered or expanded already, and waits for its report only."""

    def destination(self, job: Job) -> str:
        """See ITransport."""
        return ""

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        """See ITransport."""
        return [Outcome(action=job.route.next_hop)] * len(job.recipients)
