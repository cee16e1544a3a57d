"""Sinks for the octets of one message: several that share it, and one for nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import MailError
from ..interfaces import IDelivery, IMessageSink
from ..log import mail_log
from .model import Envelope, Verdict

log = Logger("mailtwist")


def write_to_all(
    writes: Iterable[Callable[[bytes], Awaitable[None] | None]], octets: bytes
) -> Awaitable[None] | None:
    """As IMessageSink.write, by the `write` of each; the slowest sets the pace."""
    waits = [write(octets) for write in writes]
    slow = [wait for wait in waits if wait is not None]
    if len(slow) < 2:
        return slow[0] if slow else None
    return Deferred.fromCoroutine(_all(slow))


async def _all(waits: Sequence[Awaitable[None]]) -> None:
    for wait in waits:
        await wait


async def verdicts_of(sink: IMessageSink, recipients: int) -> list[Verdict]:
    """What its commit gives; one that breaks takes only its own recipients along."""
    try:
        return list(await sink.commit())
    except MailError as fault:
        return [fault] * recipients
    except Exception:
        log.failure("delivering to {sink}", sink=type(sink).__name__)
        return [MailError()] * recipients


def put(
    verdicts: list[Verdict], places: Sequence[int], found: Sequence[Verdict]
) -> None:
    """Write what was found into the envelope's order."""
    for at, verdict in zip(places, found, strict=True):
        verdicts[at] = verdict


@implementer(IDelivery)
class Discarding:
    """Takes every message and keeps none."""

    def begin(self, envelope: Envelope) -> IMessageSink:
        """See IDelivery."""
        return DiscardSink(envelope)


@implementer(IMessageSink)
class DiscardSink:
    """Says of every recipient that it has the message; the log knows better."""

    def __init__(self, envelope: Envelope) -> None:
        self.octets = 0
        self._envelope = envelope

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """See IMessageSink."""
        self.octets += len(octets)
        return None

    def abort(self) -> None:
        """See IMessageSink."""

    async def commit(self) -> list[Verdict]:
        """See IMessageSink."""
        recipients = self._envelope.recipients
        mail_log.discarded(
            self._envelope.message_id, [str(each.address) for each in recipients]
        )
        return [None] * len(recipients)
