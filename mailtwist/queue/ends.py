"""Routes that end here: an error, nothing at all, and what was done already."""

from __future__ import annotations

import re

from zope.interface import implementer

from ..errors import MailError
from ..interfaces import IContent, ITransport
from .model import Job, Outcome

_ERROR = re.compile(r"(?:[2-5]\d\d )?([245]\.\d{1,3}\.\d{1,3})(?: +(.*))?", re.DOTALL)


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


def route_fault(text: str) -> MailError:
    """The fault of an "error" route: "5.1.2 text", or the text alone (5.0.0)."""
    found = _ERROR.match(text)
    status, public = (found[1], found[2]) if found else ("5.0.0", text)
    return MailError(public or "Mail for that address is not taken", status=status)


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
