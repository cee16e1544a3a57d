"""One accepted message to everywhere it goes: this host's mailboxes and the queue."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from attrs import evolve
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import NoRoute
from ..interfaces import IDelivery, IMessageSink, ISpool
from .model import Envelope, LocalRecipient, RemoteRecipient, Verdict
from .sinks import put, verdicts_of, write_to_all
from .spare import Spare, asks_for_success, for_mailbox, left_over

log = Logger("mailtwist")


@implementer(IDelivery)
class Dispatch:
    """Local recipients to `local`, others to `queue`; NoRoute without one.

    `now` gives seconds of the epoch."""

    def __init__(
        self,
        local: IDelivery,
        queue: ISpool | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._local, self._queue, self._now = local, queue, now

    def begin(self, envelope: Envelope) -> IMessageSink:
        """See IDelivery."""
        recipients = envelope.recipients
        kinds = {type(recipient) for recipient in recipients}
        queue = self._queue
        if queue is None:
            if kinds <= {LocalRecipient}:
                return self._local.begin(envelope)
            return DispatchSink(self._local, None, envelope)
        if self._through_queue(envelope):
            return queue.begin(
                evolve(
                    envelope,
                    recipients=tuple(
                        for_mailbox(each) if isinstance(each, LocalRecipient) else each
                        for each in recipients
                    ),
                )
            )
        if kinds == {RemoteRecipient}:
            return queue.begin(envelope)
        alone = len(recipients) == 1 or not envelope.one_reply
        plain = alone and not any(map(asks_for_success, recipients))
        if kinds <= {LocalRecipient} and plain:
            return self._local.begin(envelope)
        return DispatchSink(self._local, queue, envelope)

    def _through_queue(self, envelope: Envelope) -> bool:
        """True if mailboxes get it from the queue: later (RFC 4865), or once its
        binary octets are lines, for clients that know nothing else (RFC 3030 §3), or
        as policy orders."""
        wishes = envelope.wishes
        if envelope.held or envelope.filter is not None:
            return True
        return wishes.body == "BINARYMIME" or wishes.hold_until_s > self._now()


@implementer(IMessageSink)
class DispatchSink:
    """The same octets to mailboxes and queue; the verdicts in the envelope's order.

    The queue is first: while it has not taken its part nothing is delivered.  Then, if
    the client hears one answer for all, what failed in a mailbox while something was
    taken is queued too, and so are reports of success.
    """

    def __init__(
        self, local: IDelivery, queue: ISpool | None, envelope: Envelope
    ) -> None:
        self.octets = 0
        self._envelope = envelope
        self._here, self._there = (
            [
                at
                for at, each in enumerate(envelope.recipients)
                if isinstance(each, kind)
            ]
            for kind in (LocalRecipient, RemoteRecipient)
        )
        self._local = self._remote = self._spare = None
        if self._here:
            self._local = local.begin(self._part(self._here))
            if queue is not None:
                self._spare = Spare(queue, envelope)
        if self._there and queue is not None:
            self._remote = queue.begin(self._part(self._there))
        sinks = (self._remote, self._local, self._spare)
        self._sinks = [sink for sink in sinks if sink is not None]

    def _part(self, places: Sequence[int]) -> Envelope:
        some = tuple(self._envelope.recipients[at] for at in places)
        return evolve(self._envelope, recipients=some)

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """The slowest sink sets the pace."""
        self.octets += len(octets)
        return write_to_all([sink.write for sink in self._sinks], octets)

    def abort(self) -> None:
        for sink in self._sinks:
            sink.abort()

    async def commit(self) -> list[Verdict]:
        count = len(self._envelope.recipients)
        verdicts: list[Verdict] = [NoRoute() for _ in range(count)]
        if self._remote is not None:
            found = await verdicts_of(self._remote, len(self._there))
            put(verdicts, self._there, found)
            fault = next(filter(None, found), None)
            if fault is not None and self._envelope.one_reply:
                self.abort()
                return [fault] * count
        if self._local is not None:
            found = await verdicts_of(self._local, len(self._here))
            put(verdicts, self._here, found)
        if self._spare is not None:
            verdicts = await self._left(self._spare, verdicts)
            self._spare.abort()
        return verdicts

    async def _left(self, spare: Spare, verdicts: list[Verdict]) -> list[Verdict]:
        """Queue what is left to do; the verdicts after that."""
        ours = self._envelope.one_reply and None in verdicts
        failed, left = [], []
        for at in self._here:
            recipient, verdict = self._envelope.recipients[at], verdicts[at]
            if not isinstance(recipient, LocalRecipient):
                continue
            if verdict is None and asks_for_success(recipient):
                left.append(left_over(recipient, None))
            elif verdict is not None and ours:
                failed.append(at)
                left.append(left_over(recipient, verdict))
        if not left:
            return verdicts
        fault = await spare.commit(left)
        if fault is None:
            return [None if at in failed else v for at, v in enumerate(verdicts)]
        if failed:  # better twice in a mailbox than never in another
            return [fault] * len(verdicts)
        log.error(
            "{message} was delivered, but the report of it cannot be queued: {public}",
            message=self._envelope.message_id,
            public=fault.public,
        )
        return verdicts
