"""Everything that scripts want done, beyond one copy here, as one transaction of the
queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import evolve

from ..delivery.model import Envelope, LocalRecipient, RemoteRecipient, Target
from ..delivery.sorted import route_into
from ..interfaces import IMessageSink, ISpoolSink
from ..mime.slices import Buffer
from .actions import Draft
from .plan import Plan, Rooms, Sending, without_success

Pieces = Callable[[Buffer], Iterable[bytes]]


async def queue(
    rooms: Rooms,
    envelope: Envelope,
    buffer: Buffer,
    plans: Sequence[tuple[LocalRecipient, Plan]],
    pieces: Pieces,
) -> None:
    """It is on disk when this returns, or none of it.  Raises MailError."""
    sendings = [each for _, plan in plans for each in plan.sendings]
    sendings += _filed(rooms, envelope, plans)
    memories = [memory for _, plan in plans for memory in plan.memories]
    sinks: list[ISpoolSink] = []
    try:
        for sending in sendings:
            sink = rooms.spool.begin(evolve(sending.envelope, trace=sending.head))
            sinks.append(sink)
            await write(sink, buffer, sending.content, pieces)
        await rooms.spool.commit_all(sinks, memories)
    finally:
        for sink in sinks:
            sink.abort()


def _filed(
    rooms: Rooms, envelope: Envelope, plans: Sequence[tuple[LocalRecipient, Plan]]
) -> list[Sending]:
    """What is for mailboxes here, by content."""
    by_draft: dict[Draft | None, list[RemoteRecipient]] = {}
    for recipient, plan in plans:
        for filing in plan.filings:
            address = recipient.address
            route = route_into(filing.path, filing.flags, as_is=recipient.as_is)
            notify = without_success(recipient.notify)
            to = RemoteRecipient(address, (Target(address, route),), notify)
            by_draft.setdefault(filing.draft, []).append(to)
    return [
        Sending(
            evolve(envelope, message_id=rooms.new_id(), recipients=tuple(some)), draft
        )
        for draft, some in by_draft.items()
    ]


async def write(
    sink: IMessageSink, buffer: Buffer, content: bytes | Draft | None, pieces: Pieces
) -> None:
    """`content` as of Sending; `pieces` cuts a buffer."""
    parts: Iterable[bytes]
    if isinstance(content, bytes):
        parts = [content]
    elif content is None:
        parts = pieces(buffer)
    else:
        parts = drafted(content, buffer)
    for part in parts:
        waiting = sink.write(part)
        if waiting is not None:
            await waiting


def drafted(draft: Draft, buffer: Buffer) -> Iterable[bytes]:
    """The octets of a draft in pieces."""
    return (
        each if isinstance(each, bytes) else buffer[each[0] : each[1]]
        for each in draft.pieces
    )
