"""Ways out to what reads lines: mailboxes, files and commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..errors import MailError
from ..interfaces import IContent, ITransport
from .model import Job, Outcome

Convert = Callable[[IContent], Awaitable[IContent]]


@implementer(ITransport)
class LinesOnly:
    """Another way out that gets binary mail (RFC 3030 §3) as `convert` makes it."""

    def __init__(self, transport: ITransport, convert: Convert) -> None:
        self._transport, self._convert = transport, convert

    def destination(self, job: Job) -> str:
        """See ITransport."""
        return self._transport.destination(job)

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        """See ITransport."""
        if job.message.wishes.body == "BINARYMIME":
            try:
                content = await self._convert(content)
            except MailError as fault:
                return [Outcome(fault)] * len(job.recipients)
        return await Deferred.fromCoroutine(self._transport.attempt(job, content))
