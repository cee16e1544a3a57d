"""The way out of the queue into a mailbox here."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..delivery.model import Envelope, LocalRecipient
from ..delivery.sinks import verdicts_of
from ..delivery.sorted import sorted_into
from ..errors import AuthUnavailable, MailError
from ..interfaces import IContent, IDelivery, IRouter, ITransport
from .model import Job, Outcome, QueuedRecipient

READ_OCTETS = 128 * 1024


@implementer(ITransport)
class MailboxTransport:
    """Looks each recipient up anew and delivers to the store.

    An account that is full is a temporary failure, one that is gone a permanent one.
    """

    def __init__(self, router: IRouter, delivery: IDelivery) -> None:
        self._router, self._delivery = router, delivery

    def destination(self, job: Job) -> str:
        """See ITransport."""
        return ""

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        """See ITransport."""
        outcomes: list[Outcome] = []
        local: list[LocalRecipient] = []
        places: list[int] = []
        for at, recipient in enumerate(job.recipients):
            outcomes.append(Outcome(action="delivered"))
            try:
                local.append(
                    await self._look_up(recipient, content.octets, job.message.login)
                )
                places.append(at)
            except MailError as fault:
                outcomes[at] = Outcome(_may_wait(fault))
        if local:
            faults = await self._deliver(job, local, content)
            for at, verdict in zip(places, faults, strict=True):
                if verdict is not None:
                    outcomes[at] = Outcome(verdict)
        return outcomes

    async def _look_up(
        self, recipient: QueuedRecipient, octets: int, login: str
    ) -> LocalRecipient:
        found = await self._router.mailbox(
            recipient.address, size_octets=octets, login=login
        )
        found = sorted_into(found, recipient.route.next_hop)
        return evolve(found, notify=recipient.notify)

    async def _deliver(
        self, job: Job, local: list[LocalRecipient], content: IContent
    ) -> list[MailError | None]:
        message = job.message
        sink = self._delivery.begin(
            Envelope(
                message.queue_id,
                message.queue_id,
                job.reverse_path,
                tuple(local),
                login=message.login or None,
                size_octets=message.octets,
                wishes=message.wishes,
                signing="author" if message.login else "",
            )
        )
        try:
            for start in range(0, content.octets, READ_OCTETS):
                waiting = sink.write(await content.read(start, READ_OCTETS))
                if waiting is not None:
                    await waiting
        except MailError as fault:
            sink.abort()
            return [fault] * len(local)
        except BaseException:
            sink.abort()
            raise
        return await Deferred.fromCoroutine(verdicts_of(sink, len(local)))


def _may_wait(fault: MailError) -> MailError:
    """A source of accounts that cannot be asked says nothing of the account."""
    if isinstance(fault, AuthUnavailable):
        return MailError("Cannot look that up now, try again later")
    return fault
