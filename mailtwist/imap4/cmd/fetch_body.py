"""FETCH of octets: small bodies of many messages in one read, a large one in pieces.

Memory is bounded by BATCH_OCTETS whatever the messages are: what is read is written,
and the client has taken it, before more is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from attrs import evolve, frozen

from ...errors import MailError, UnknownEncoding
from ...flags import SEEN
from ...mailbox.model import Column, FlagAction, FlagChange, MessageRows, Range
from ...mailbox.shown import Shown
from ...mime.part import Part
from ...mime.text import TransferDecoder
from ..response import literal, literal8
from ..session import StreamBroken, log
from ..types import FetchAttribute, FetchFlags, FetchModSeq
from .fetch_binary import DecodedPart, encoding_of
from .fetch_columns import Chunk, View
from .fetch_section import Wanted, without_nul
from .happened import changing
from .permitted import may_see

BATCH_OCTETS = 256 * 1024  # read at once
PIECE_OCTETS = 128 * 1024  # of a larger body


@frozen
class Encoded:
    """A part to read whose transfer encoding is to be taken off."""

    range: Range
    encoding: str


Wish = bytes | Range | Encoded


@frozen
class Message:
    """One message of a chunk; for each body its whole data item, or what to read."""

    at: int  # its place in the chunk
    wishes: tuple[Wish, ...]

    @property
    def octets(self) -> int:
        return sum(_range(wish).count or 0 for wish in self.wishes if _reads(wish))


def _reads(wish: Wish) -> bool:
    return not isinstance(wish, bytes)


def _range(wish: Wish) -> Range:
    if isinstance(wish, Encoded):
        return wish.range
    return Range(0, 0, 0) if isinstance(wish, bytes) else wish


Read = Callable[[int, int], Awaitable[bytes | None]]


@frozen
class Large:
    """A body of so many octets that is sent in pieces as `read` gives them: (start,
    count) to octets, None if they are gone.  `binary`: NUL may be among them."""

    label: bytes
    octets: int
    read: Read
    binary: bool


Item = bytes | Large


async def tell_bodies(view: View, chunk: Chunk) -> int:
    """Tell all of `chunk`; how many messages were still there."""
    told, held = 0, 0
    batch: list[Message] = []
    places = range(len(chunk))
    for at in reversed(places) if view.downwards else places:
        try:
            message = await _message(view, chunk, at)
        except UnknownEncoding as fault:  # the other messages are told all the same
            view.fault, told = fault, told + 1
            continue
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
        root = await _parts(view.shown, uid)
    if root is not None:
        size = sum(root.body)
    wishes = [_wish(body, uid, root, size, rendered) for body in plan.bodies.values()]
    return Message(at, tuple(wishes))


def _wish(
    body: Wanted,
    uid: int,
    root: Part | None,
    size: int,
    rendered: dict[Column, bytes],
) -> Wish:
    """Raises UnknownEncoding."""
    if body.kept:
        return _item(body, body.of_kept(rendered[Column.FIELDS]))
    encoding = ""
    if body.binary and not body.whole and root is not None:
        encoding = encoding_of(root.section(body.section.part))
    place = body.range_in(root, size, whole=bool(encoding))
    if place is None:
        return body.label + (b" 0" if body.size else b" NIL")
    if encoding:
        return Encoded(Range(uid, *place), encoding)
    return b"%b %d" % (body.label, place[1]) if body.size else Range(uid, *place)


async def _parts(shown: Shown, uid: int) -> Part | None:
    (found,) = await shown.rendered([uid], [Column.PARTS])
    return None if found is None else Part.decode(found[0])


def _item(body: Wanted, octets: bytes) -> bytes:
    if body.size:
        return b"%b %d" % (body.label, len(octets))
    if body.binary:
        return b"%b %b" % (body.label, literal8(octets))
    return b"%b %b" % (body.label, literal(without_nul(octets)))


def _read_item(body: Wanted, wish: Wish, octets: bytes) -> bytes:
    if isinstance(wish, Encoded):
        decoder = TransferDecoder(wish.encoding)
        return _item(body, body.cut(decoder.feed(octets, final=True)))
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
    if not await may_see(view.session):
        view.flags_told(chunk.rows, asked=asked)
        return chunk, frozenset()
    change = FlagChange(FlagAction.ADD, frozenset({SEEN}))
    try:
        stored = await changing(
            view.session, unseen, lambda: view.mailbox.store_flags(unseen, change)
        )
        done = stored.rows
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
    if view.downwards:
        batch = batch[::-1]
    ranges = [_range(one) for m in batch for one in m.wishes if _reads(one)]
    whole = view.plan.messages and not view.plan.sizes
    reading = view.shown.messages if whole else view.shown.octets
    read = iter(await reading(ranges))
    places, bodies = [], []
    for message in batch:
        items: list[Item | None] = []
        for body, wish in zip(view.plan.bodies.values(), message.wishes, strict=True):
            if isinstance(wish, bytes):
                items.append(wish)
            else:
                octets = next(read)
                items.append(None if octets is None else _read_item(body, wish, octets))
        there = [item for item in items if item is not None]
        if len(there) == len(items):
            places.append(message.at)
            bodies.append(there)
    part, seen = await _see(view, chunk.picked(places))
    told = zip(part.numbers, _items(view, part, seen, bodies), strict=True)
    for number, row in reversed(list(told)) if view.downwards else told:
        line = b" ".join([item for item in row if isinstance(item, bytes)])
        view.session.put(b"* %d %b (%b)\r\n" % (number, view.word, line))
    await view.session.flow()
    return len(part)


# -- a large one ------------------------------------------------------------------


async def _tell_large(view: View, chunk: Chunk, message: Message) -> int:
    """One message whose octets do not fit in memory; 0 if it is gone."""
    session = view.session
    items: list[Item] = []
    first: bytes | None = None
    for body, wish in zip(view.plan.bodies.values(), message.wishes, strict=True):
        item = await _large_item(view, body, wish)
        if item is None:
            return 0
        items.append(item)
        if isinstance(item, Large) and first is None:
            first = await item.read(0, min(PIECE_OCTETS, item.octets))
            if first is None:
                return 0
    part, seen = await _see(view, chunk.picked([message.at]))
    (row,) = _items(view, part, seen, [items])
    session.within = True
    session.put(b"* %d %b (" % (part.numbers[0], view.word))
    for at, item in enumerate(row):
        if at:
            session.put(b" ")
        if isinstance(item, bytes):
            session.put(item)
            continue
        marker = b"%b ~{%d}\r\n" if item.binary else b"%b {%d}\r\n"
        session.put(marker % (item.label, item.octets))
        await _send(view, item, first)
        first = None
    session.put(b")\r\n")
    session.within = False
    await session.flow()
    return 1


async def _large_item(view: View, body: Wanted, wish: Wish) -> Item | None:
    """The item, or how to read it in pieces; None if the message is gone."""
    if isinstance(wish, bytes):
        return wish
    if isinstance(wish, Encoded):
        return await _decoded_item(view, body, wish)
    if not body.chooses_fields and (wish.count or 0) > PIECE_OCTETS:
        read = _reader(view.shown, wish)
        return Large(body.label, wish.count or 0, read, body.binary)
    (octets,) = await view.shown.octets([wish])
    return None if octets is None else _read_item(body, wish, octets)


def _reader(shown: Shown, whole: Range) -> Read:
    async def read(start: int, count: int) -> bytes | None:
        piece = Range(whole.uid, whole.start + start, count)
        (octets,) = await shown.octets([piece])
        return octets

    return read


async def _decoded_item(view: View, body: Wanted, wish: Encoded) -> Item | None:
    part, partial = _decoded(view, wish), body.partial
    if partial is not None and partial.count <= PIECE_OCTETS:
        octets = await part.window(partial.start, partial.count)
        return None if octets is None else _item(body, octets)
    size = await part.size()
    if size is None:
        return None
    if body.size:
        return b"%b %d" % (body.label, size)
    at, count = 0, size
    if partial is not None:
        at = min(partial.start, size)
        count = min(partial.count, size - at)

    def read(start: int, count: int) -> Awaitable[bytes | None]:
        return part.window(at + start, count)

    return Large(body.label, count, read, binary=True)


def _decoded(view: View, wish: Encoded) -> DecodedPart:
    """The part, as far as it was decoded by the last command."""
    part: DecodedPart | None = view.session.decoded
    place = view.shown.source(wish.range)
    if part is None or (part.mailbox, part.place) != (view.mailbox, place):
        part = DecodedPart(view.mailbox, place, wish.encoding)
        view.session.decoded = part
    return part


async def _send(view: View, item: Large, piece: bytes | None) -> None:
    """The octets of a literal that was announced; `piece` is the first if known."""
    sent = 0
    while sent < item.octets:
        if piece is None:
            piece = await item.read(sent, min(PIECE_OCTETS, item.octets - sent))
        if not piece:
            raise StreamBroken("The message went away while it was sent")
        view.session.put(piece if item.binary else without_nul(piece))
        sent += len(piece)
        piece = None
        await view.session.flow()
