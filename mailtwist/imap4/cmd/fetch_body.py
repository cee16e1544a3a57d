"""FETCH of octets: small bodies of many messages in one read, a large one in pieces.

Memory is bounded by BATCH_OCTETS whatever the messages are: what is read is written,
and the client has taken it, before more is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from ...errors import MailError
from ...flags import SEEN
from ...mailbox.interfaces import IMailbox
from ...mailbox.model import Column, FlagAction, FlagChange, MessageRows, Range
from ...mime.part import Part
from ..response import literal
from ..session import StreamBroken, log
from ..types import FetchAttribute, FetchFlags, FetchModSeq
from .fetch_columns import Chunk, View
from .fetch_section import Wanted, without_nul

BATCH_OCTETS = 256 * 1024  # read at once
PIECE_OCTETS = 128 * 1024  # of a larger body


@frozen
class Message:
    """One message of a chunk; for each body its whole data item, or what to read."""

    at: int  # its place in the chunk
    wishes: tuple[bytes | Range, ...]

    @property
    def octets(self) -> int:
        return sum(one.count or 0 for one in self.wishes if isinstance(one, Range))


@frozen
class Large:
    """A body that is read and sent in pieces."""

    label: bytes
    range: Range


Item = bytes | Large


async def tell_bodies(view: View, chunk: Chunk) -> int:
    """Tell all of `chunk`; how many messages were still there."""
    told, held = 0, 0
    batch: list[Message] = []
    for at in range(len(chunk)):
        message = await _message(view, chunk, at)
        if batch and held + message.octets > BATCH_OCTETS:
            told += await _tell_batch(view, chunk, batch)
            batch, held = [], 0
        if message.octets > BATCH_OCTETS:
            told += await _tell_large(view, chunk, message)
        else:
            batch.append(message)
            held += message.octets
    if batch:
        told += await _tell_batch(view, chunk, batch)
    return told


async def _message(view: View, chunk: Chunk, at: int) -> Message:
    plan, uid, size = view.plan, chunk.rows.uids[at], chunk.rows.octets[at]
    rendered = dict(zip(plan.columns, chunk.rendered[at], strict=True))
    parts = rendered.get(Column.PARTS)
    root = None if parts is None else Part.decode(parts)
    if root is None and size > BATCH_OCTETS:
        # A size in a file name may be wrong; that of a literal in pieces must not be.
        root = await _parts(view.mailbox, uid)
    if root is not None:
        size = sum(root.body)
    wishes: list[bytes | Range] = []
    for body in plan.bodies.values():
        if body.kept:
            wishes.append(_item(body, body.of_kept(rendered[Column.FIELDS])))
        elif (place := body.range_in(root, size)) is None:
            wishes.append(body.label + b" NIL")
        else:
            wishes.append(Range(uid, *place))
    return Message(at, tuple(wishes))


async def _parts(mailbox: IMailbox, uid: int) -> Part | None:
    (found,) = await mailbox.rendered([uid], [Column.PARTS])
    return None if found is None else Part.decode(found[0])


def _item(body: Wanted, octets: bytes) -> bytes:
    return b"%b %b" % (body.label, literal(without_nul(octets)))


def _read_item(body: Wanted, octets: bytes) -> bytes:
    return _item(body, body.of_header(octets) if body.chooses_fields else octets)


def _items(
    view: View, chunk: Chunk, seen: frozenset[int], bodies: Sequence[Sequence[Item]]
) -> Iterator[list[Item]]:
    """The data items of each message in the client's order, then what \\Seen adds."""
    columns = [
        None if attribute in view.plan.bodies else _column(view, attribute, chunk)
        for attribute in view.plan.attributes
    ]
    extra = [_column(view, one, chunk) for one in _seen_attributes(view)]
    for at, uid in enumerate(chunk.rows.uids):
        left = iter(bodies[at])
        items: list[Item] = [
            next(left) if column is None else column[at] for column in columns
        ]
        if uid in seen:
            items += [column[at] for column in extra]
        yield items


def _column(view: View, attribute: FetchAttribute, chunk: Chunk) -> list[bytes]:
    form, values = view.column(attribute, chunk)
    return [form % value for value in values]


def _seen_attributes(view: View) -> list[FetchAttribute]:
    """FLAGS of what became \\Seen (§6.4.5), with MODSEQ if CONDSTORE is on."""
    added: list[FetchAttribute] = []
    if not view.plan.has(FetchFlags):
        added.append(FetchFlags())
    if view.session.condstore and not view.plan.has(FetchModSeq):
        added.append(FetchModSeq())
    return added


# -- \Seen ------------------------------------------------------------------------


async def _see(view: View, chunk: Chunk) -> tuple[Chunk, frozenset[int]]:
    """The chunk with \\Seen set where it was not, and the UIDs where that was.

    A mailbox that cannot be changed now can still be read.
    """
    asked = view.plan.has(FetchFlags)
    pairs = zip(chunk.rows.uids, chunk.rows.flags, strict=True)
    unseen = [uid for uid, flags in pairs if SEEN not in flags]
    if not unseen or not view.plan.sets_seen or view.selected.read_only:
        view.flags_told(chunk.rows, asked=asked)
        return chunk, frozenset()
    change = FlagChange(FlagAction.ADD, frozenset({SEEN}))
    try:
        done = (await view.mailbox.store_flags(unseen, change)).rows
    except MailError as fault:
        session = view.session.peer.session
        log.warn("imap4 {s} cannot set Seen: {f}", s=session, f=fault.public)
        view.flags_told(chunk.rows, asked=asked)
        return chunk, frozenset()
    view.flags_told(done, asked=True)
    now = dict(zip(done.uids, zip(done.flags, done.modseqs, strict=True), strict=True))
    rows = chunk.rows
    old = zip(rows.uids, rows.flags, rows.modseqs, strict=True)
    new = [now.get(uid, (flags, modseq)) for uid, flags, modseq in old]
    rows = MessageRows(
        rows.uids,
        [modseq for _, modseq in new],
        [flags for flags, _ in new],
        rows.octets,
        rows.internal_dates,
    )
    return evolve(chunk, rows=rows), frozenset(done.uids)


# -- many small ones --------------------------------------------------------------


async def _tell_batch(view: View, chunk: Chunk, batch: Sequence[Message]) -> int:
    ranges = [one for m in batch for one in m.wishes if isinstance(one, Range)]
    read = iter(await view.mailbox.octets(ranges) if ranges else [])
    places, bodies = [], []
    for message in batch:
        items: list[Item | None] = []
        for body, wish in zip(view.plan.bodies.values(), message.wishes, strict=True):
            if isinstance(wish, bytes):
                items.append(wish)
            else:
                octets = next(read)
                items.append(None if octets is None else _read_item(body, octets))
        there = [item for item in items if item is not None]
        if len(there) == len(items):
            places.append(message.at)
            bodies.append(there)
    part, seen = await _see(view, chunk.picked(places))
    told = zip(part.numbers, _items(view, part, seen, bodies), strict=True)
    for number, row in told:
        line = b" ".join([item for item in row if isinstance(item, bytes)])
        view.session.put(b"* %d %b (%b)\r\n" % (number, view.word, line))
    await view.session.flow()
    return len(part)


# -- a large one ------------------------------------------------------------------


async def _tell_large(view: View, chunk: Chunk, message: Message) -> int:
    """One message whose octets do not fit in memory; 0 if it is gone."""
    session, mailbox = view.session, view.mailbox
    items: list[Item] = []
    first: bytes | None = None
    for body, wish in zip(view.plan.bodies.values(), message.wishes, strict=True):
        if isinstance(wish, bytes):
            items.append(wish)
            continue
        pieces = not body.chooses_fields and (wish.count or 0) > PIECE_OCTETS
        if pieces and first is not None:
            items.append(Large(body.label, wish))
            continue
        (octets,) = await mailbox.octets([_piece(wish, 0) if pieces else wish])
        if octets is None:
            return 0
        if pieces:
            first = octets
        items.append(Large(body.label, wish) if pieces else _read_item(body, octets))
    part, seen = await _see(view, chunk.picked([message.at]))
    (row,) = _items(view, part, seen, [items])
    session.put(b"* %d %b (" % (part.numbers[0], view.word))
    for at, item in enumerate(row):
        if at:
            session.put(b" ")
        if isinstance(item, bytes):
            session.put(item)
            continue
        session.put(b"%b {%d}\r\n" % (item.label, item.range.count or 0))
        await _send(view, item.range, first)
        first = None
    session.put(b")\r\n")
    await session.flow()
    return 1


def _piece(whole: Range, sent: int) -> Range:
    count = min(PIECE_OCTETS, (whole.count or 0) - sent)
    return Range(whole.uid, whole.start + sent, count)


async def _send(view: View, whole: Range, piece: bytes | None) -> None:
    """The octets of a literal that was announced; `piece` is the first if known."""
    sent, count = 0, whole.count or 0
    while sent < count:
        if piece is None:
            (piece,) = await view.mailbox.octets([_piece(whole, sent)])
        if not piece:
            raise StreamBroken("The message went away while it was sent")
        view.session.put(without_nul(piece))
        sent += len(piece)
        piece = None
        await view.session.flow()
