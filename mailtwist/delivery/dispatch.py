"""One accepted message to everywhere it goes: this host's mailboxes and the queue."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import MailError, NoRoute
from ..interfaces import IDelivery, IMessageSink
from .model import Envelope, LocalRecipient, RemoteRecipient, Verdict

log = Logger("mailtwist")


@implementer(IDelivery)
class Dispatch:
    """Local recipients to `local`, others to `queue`; NoRoute without one."""

    def __init__(self, local: IDelivery, queue: IDelivery | None = None) -> None:
        self._local, self._queue = local, queue

    def begin(self, envelope: Envelope) -> IMessageSink:
        kinds = {type(recipient) for recipient in envelope.recipients}
        if kinds <= {LocalRecipient}:
            return self._local.begin(envelope)
        if kinds == {RemoteRecipient} and self._queue is not None:
            return self._queue.begin(envelope)
        parts = []
        for kind, delivery in (
            (LocalRecipient, self._local),
            (RemoteRecipient, self._queue),
        ):
            places = [
                at
                for at, recipient in enumerate(envelope.recipients)
                if isinstance(recipient, kind)
            ]
            if places and delivery is not None:
                some = tuple(envelope.recipients[at] for at in places)
                sink = delivery.begin(evolve(envelope, recipients=some))
                parts.append((places, sink))
        return SplitSink(len(envelope.recipients), parts)


@implementer(IMessageSink)
class SplitSink:
    """The same octets to several sinks; the verdicts back in the envelope's order."""

    def __init__(
        self, recipients: int, parts: Sequence[tuple[Sequence[int], IMessageSink]]
    ) -> None:
        """`parts` are sinks with the places of their recipients in the envelope."""
        self._recipients, self._parts = recipients, parts
        self.octets = 0

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """The slowest sink sets the pace."""
        self.octets += len(octets)
        waits = [sink.write(octets) for _, sink in self._parts]
        slow = [wait for wait in waits if wait is not None]
        if len(slow) < 2:
            return slow[0] if slow else None
        return Deferred.fromCoroutine(_all(slow))

    async def commit(self) -> list[Verdict]:
        verdicts: list[Verdict] = [NoRoute() for _ in range(self._recipients)]
        begun = [
            (places, Deferred.fromCoroutine(_verdicts(sink, len(places))))
            for places, sink in self._parts
        ]
        for places, done in begun:
            for at, verdict in zip(places, await done, strict=True):
                verdicts[at] = verdict
        return verdicts

    def abort(self) -> None:
        for _, sink in self._parts:
            sink.abort()


async def _all(waits: Sequence[Awaitable[None]]) -> None:
    for wait in waits:
        await wait


async def _verdicts(sink: IMessageSink, recipients: int) -> list[Verdict]:
    """A sink that breaks takes only its own recipients with it."""
    try:
        return list(await sink.commit())
    except MailError as fault:
        return [fault] * recipients
    except Exception:
        log.failure("delivering to {sink}", sink=type(sink).__name__)
        return [MailError()] * recipients
