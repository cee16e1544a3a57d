"""A second copy of a message, for recipients whose delivery did not end here.

When one of several recipients cannot have its copy now, the client still hears 250
because of the others, so the rest is ours: it goes to the queue.  That is known at the
end only, so the octets are kept: in memory while they are few, else by the queue.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from attrs import evolve

from ..errors import MailError
from ..interfaces import ISpool, ISpoolSink
from .model import Envelope, LocalRecipient, RemoteRecipient, Route, Target, Verdict

KEPT_OCTETS = 256 * 1024
SECOND = "-2"  # behind the id of a message whose first part may be queued too


class Spare:
    """The octets of one message, in case they are needed."""

    def __init__(self, queue: ISpool, envelope: Envelope) -> None:
        self._queue = queue
        self._envelope = evolve(
            envelope, message_id=envelope.message_id + SECOND, recipients=()
        )
        self._parts: list[bytes] = []
        self._octets = 0
        self._sink: ISpoolSink | None = None

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """As IMessageSink.write."""
        if self._sink is not None:
            return self._sink.write(octets)
        self._parts.append(octets)
        self._octets += len(octets)
        return self._begin() if self._octets > KEPT_OCTETS else None

    def _begin(self) -> Awaitable[None] | None:
        parts, self._parts = self._parts, []
        self._sink = self._queue.begin(self._envelope)
        return self._sink.write(b"".join(parts))

    async def commit(self, recipients: Sequence[RemoteRecipient]) -> Verdict:
        """Queue it for these; None when that is durable."""
        if self._sink is None:
            waiting = self._begin()
            if waiting is not None:
                await waiting
        sink, self._sink = self._sink, None
        if sink is None:
            return MailError()
        sink.address(tuple(recipients))
        return (await sink.commit())[0]

    def abort(self) -> None:
        """It is not needed."""
        self._parts = []
        if self._sink is not None:
            self._sink.abort()
            self._sink = None


def asks_for_success(recipient: object) -> bool:
    """True if a local delivery is to be reported (RFC 3461 §4.1)."""
    if not isinstance(recipient, LocalRecipient):
        return False
    when = recipient.notify.when
    return when is not None and "SUCCESS" in when


def for_mailbox(recipient: LocalRecipient) -> RemoteRecipient:
    """The same recipient as work for the queue."""
    return _by(recipient, Route("mailbox"))


def left_over(recipient: LocalRecipient, fault: Verdict) -> RemoteRecipient:
    """What is left to do after a delivery: try again, or report what became of it."""
    if fault is None:
        return _by(recipient, Route("done", "delivered"))
    if fault.temporary:
        return for_mailbox(recipient)
    return _by(recipient, Route("error", f"{fault.status} {fault.public}"))


def _by(recipient: LocalRecipient, route: Route) -> RemoteRecipient:
    target = Target(recipient.address, route)
    return RemoteRecipient(recipient.address, (target,), recipient.notify)
