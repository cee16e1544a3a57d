"""FETCH (§6.4.5): columns joined in chunks, bodies read in batches or streamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

from ...errors import MessageGone
from ...flags import SEEN, Flags
from ...interfaces import IMailbox
from ...mailbox.model import Column, FlagAction, FlagChange, MessageRows, Range
from ...mime.part import Part
from ..grammar.date import encode_date_time
from ..response import Answer, flag_list, literal, ok
from ..selected import Selected
from ..session import Session
from ..types import (
    Fetch,
    FetchAttribute,
    FetchBody,
    FetchEnvelope,
    FetchFlags,
    FetchInternalDate,
    FetchModSeq,
    FetchRfc822,
    FetchRfc822Header,
    FetchRfc822Text,
    FetchSize,
    FetchStructure,
    FetchUid,
)
from .fetch_body import Wanted, wanted

CHUNK = 256  # messages of one question to the store
PLAIN_CHUNK = 5000  # messages whose answer needs no question
BUFFER_OCTETS = 64 * 1024  # sent at a time
BATCH_OCTETS = 256 * 1024  # of bodies read in one question
PIECE_OCTETS = 128 * 1024  # of a larger body, streamed

_BODIES = (FetchBody, FetchRfc822, FetchRfc822Header, FetchRfc822Text)


@frozen
class Plan:
    """What one FETCH needs: columns of rows and cache, and bodies."""

    attributes: tuple[FetchAttribute, ...]
    columns: tuple[Column, ...]
    bodies: tuple[Wanted, ...]

    @property
    def sets_seen(self) -> bool:
        return any(body.sets_seen for body in self.bodies)


def plan_of(attributes: Sequence[FetchAttribute]) -> Plan:
    columns: dict[Column, None] = {}
    bodies = []
    for attribute in attributes:
        if isinstance(attribute, FetchEnvelope):
            columns[Column.ENVELOPE] = None
        elif isinstance(attribute, FetchStructure):
            columns[_structure(attribute)] = None
        elif isinstance(attribute, _BODIES):
            body = wanted(attribute)
            bodies.append(body)
            if body.kept:
                columns[Column.FIELDS] = None
            elif not body.whole:
                columns[Column.PARTS] = None
    return Plan(tuple(attributes), tuple(columns), tuple(bodies))


def _structure(attribute: FetchStructure) -> Column:
    return Column.BODYSTRUCTURE if attribute.extensible else Column.BODY


async def fetch(session: Session, command: Fetch) -> Answer:
    mailbox, selected = session.open
    plan = plan_of(command.attributes)
    uids = selected.uids_of(command.sequence_set, uid=command.uid)
    if command.changed_since is not None or _has(plan, FetchModSeq):
        session.condstore = True
    if command.changed_since is not None:
        rows = await mailbox.rows(uids)
        since = command.changed_since
        pairs = zip(rows.uids, rows.modseqs, strict=True)
        uids = [uid for uid, modseq in pairs if modseq > since]
    if plan.sets_seen and not selected.read_only:
        plan = await _see(session, mailbox, selected, plan, uids)
    size = CHUNK if plan.columns or plan.bodies else PLAIN_CHUNK
    for start in range(0, len(uids), size):
        part = uids[start : start + size]
        rows = await mailbox.rows(part)
        selected.told(rows, silent=not _has(plan, FetchFlags))
        await _chunk(session, mailbox, selected, plan, rows)
        if session.held > BUFFER_OCTETS:
            session.flush()
            await session.drained()
        if start + size < len(uids):
            await session.pause()
    return ok("Fetched")


def _has(plan: Plan, kind: type[FetchAttribute]) -> bool:
    return any(isinstance(attribute, kind) for attribute in plan.attributes)


async def _see(
    session: Session,
    mailbox: IMailbox,
    selected: Selected,
    plan: Plan,
    uids: Sequence[int],
) -> Plan:
    """Set \\Seen where it is not; then FLAGS are told too (§6.4.5)."""
    rows = await mailbox.rows(uids)
    pairs = zip(rows.uids, rows.flags, strict=True)
    unseen = [uid for uid, flags in pairs if SEEN not in flags]
    if not unseen:
        return plan
    await session.look()
    change = FlagChange(FlagAction.ADD, frozenset({SEEN}))
    await mailbox.store_flags(unseen, change)
    if _has(plan, FetchFlags):
        return plan
    return Plan((*plan.attributes, FetchFlags()), plan.columns, plan.bodies)


async def _chunk(
    session: Session,
    mailbox: IMailbox,
    selected: Selected,
    plan: Plan,
    rows: MessageRows,
) -> None:
    rendered: Sequence[tuple[bytes, ...] | None] = [()] * len(rows)
    if plan.columns:
        rendered = await mailbox.rendered(rows.uids, plan.columns)
    writers = _writers(plan, selected, rows)
    if not plan.bodies:
        for at, uid in enumerate(rows.uids):
            number, found = selected.number_of(uid), rendered[at]
            if number is None or found is None:
                continue
            items = b" ".join([write(at, found) for write in writers])
            session.put(b"* %d FETCH (%b)\r\n" % (number, items))
        return
    messages = [
        Message(uid, number, rows.octets[at], at, found, plan)
        for at, uid in enumerate(rows.uids)
        if (number := selected.number_of(uid)) is not None
        and (found := rendered[at]) is not None
    ]
    await _with_bodies(session, mailbox, writers, messages)


Writer = Callable[[int, tuple[bytes, ...]], bytes]


def _writers(plan: Plan, selected: Selected, rows: MessageRows) -> list[Writer]:
    """A function for each attribute that is no body: (row, columns) to octets."""
    made: list[Writer] = []
    place = {column: at for at, column in enumerate(plan.columns)}

    def of_column(name: bytes, column: Column) -> Writer:
        at = place[column]
        return lambda row, found: name + found[at]

    cache: dict[Flags, bytes] = {}

    def flags(row: int, found: tuple[bytes, ...]) -> bytes:
        if selected.is_recent(rows.uids[row]):
            return b"FLAGS " + flag_list(rows.flags[row], recent=True)
        one = rows.flags[row]
        known = cache.get(one)
        if known is None:
            known = cache[one] = b"FLAGS " + flag_list(one)
        return known

    for attribute in plan.attributes:
        match attribute:
            case FetchUid():
                made.append(lambda row, found: b"UID %d" % rows.uids[row])
            case FetchFlags():
                made.append(flags)
            case FetchInternalDate():
                made.append(
                    lambda row, found: (
                        b"INTERNALDATE " + encode_date_time(rows.internal_dates[row])
                    )
                )
            case FetchSize():
                made.append(lambda row, found: b"RFC822.SIZE %d" % rows.octets[row])
            case FetchModSeq():
                made.append(lambda row, found: b"MODSEQ (%d)" % rows.modseqs[row])
            case FetchEnvelope():
                made.append(of_column(b"ENVELOPE ", Column.ENVELOPE))
            case FetchStructure():
                name = b"BODYSTRUCTURE " if attribute.extensible else b"BODY "
                made.append(of_column(name, _structure(attribute)))
    return made


@frozen
class Message:
    """One message of a chunk with what its bodies are made of."""

    uid: int
    number: int
    octets: int
    at: int
    found: tuple[bytes, ...]
    plan: Plan

    def column(self, column: Column) -> bytes:
        return self.found[self.plan.columns.index(column)]

    def ranges(self) -> list[tuple[Wanted, Range | None]]:
        """Each body with the octets to read for it, None if nothing is read."""
        root = None
        if Column.PARTS in self.plan.columns:
            root = Part.decode(self.column(Column.PARTS))
        made: list[tuple[Wanted, Range | None]] = []
        for body in self.plan.bodies:
            place = None if body.kept else body.range_in(root, self.octets)
            made.append((body, place and Range(self.uid, place[0], place[1])))
        return made


async def _with_bodies(
    session: Session,
    mailbox: IMailbox,
    writers: Sequence[Writer],
    messages: Sequence[Message],
) -> None:
    """Small bodies of several messages in one question; a large one streams."""
    batch: list[tuple[Message, list[tuple[Wanted, Range | None]]]] = []
    size = 0
    for message in messages:
        ranges = message.ranges()
        octets = sum(one.count or 0 for _, one in ranges if one is not None)
        if octets > BATCH_OCTETS:
            await _batch(session, mailbox, writers, batch)
            batch, size = [], 0
            await _stream(session, mailbox, writers, message, ranges)
            continue
        batch.append((message, ranges))
        size += octets
        if size > BATCH_OCTETS:
            await _batch(session, mailbox, writers, batch)
            batch, size = [], 0
    await _batch(session, mailbox, writers, batch)


async def _batch(
    session: Session,
    mailbox: IMailbox,
    writers: Sequence[Writer],
    batch: Sequence[tuple[Message, list[tuple[Wanted, Range | None]]]],
) -> None:
    wishes = [one for _, ranges in batch for _, one in ranges if one is not None]
    found = iter(await mailbox.octets(wishes) if wishes else [])
    for message, ranges in batch:
        items = [write(message.at, message.found) for write in writers]
        gone = False
        for body, one in ranges:
            if body.kept:
                items.append(
                    b"%b %b"
                    % (body.label, literal(body.chosen(message.column(Column.FIELDS))))
                )
            elif one is None:
                items.append(body.label + b" NIL")
            else:
                octets = next(found)
                gone = gone or octets is None
                if octets is not None:
                    items.append(_item(body, octets))
        if not gone:
            session.put(b"* %d FETCH (%b)\r\n" % (message.number, b" ".join(items)))
    session.flush()
    await session.drained()


def _item(body: Wanted, octets: bytes) -> bytes:
    if body.chooses_fields:
        octets = body.chosen(octets)
    return b"%b %b" % (body.label, literal(without_nul(octets)))


def without_nul(octets: bytes) -> bytes:
    """NUL cannot be sent (§4.3.1); the same count of octets is."""
    return octets.replace(b"\0", b"\x80") if b"\0" in octets else octets


async def _stream(
    session: Session,
    mailbox: IMailbox,
    writers: Sequence[Writer],
    message: Message,
    ranges: list[tuple[Wanted, Range | None]],
) -> None:
    """A literal of known size in pieces; a message that goes away in the middle can
    only end the connection."""
    items = [write(message.at, message.found) for write in writers]
    started = False
    for body, one in ranges:
        if body.kept or one is None or (one.count or 0) <= PIECE_OCTETS:
            octets: bytes | None = None
            if one is not None and not body.kept:
                (octets,) = await mailbox.octets([one])
            if body.kept:
                chosen = body.chosen(message.column(Column.FIELDS))
                items.append(b"%b %b" % (body.label, literal(chosen)))
            else:
                nil = body.label + b" NIL"
                items.append(nil if octets is None else _item(body, octets))
            continue
        if body.chooses_fields:
            (octets,) = await mailbox.octets([one])
            items.append(_item(body, octets or b"\r\n"))
            continue
        count = one.count or 0
        (piece,) = await mailbox.octets([Range(one.uid, one.start, PIECE_OCTETS)])
        if piece is None and not started:
            return
        head = b" ".join([*items, b"%b {%d}\r\n" % (body.label, count)])
        session.put(
            b" " + head if started else b"* %d FETCH (%b" % (message.number, head)
        )
        items, started = [], True
        sent = 0
        while sent < count:
            if piece is None or not piece:
                raise MessageGone()
            piece = piece[: count - sent]
            session.put(without_nul(piece))
            session.flush()
            await session.drained()
            sent += len(piece)
            if sent < count:
                (piece,) = await mailbox.octets(
                    [Range(one.uid, one.start + sent, PIECE_OCTETS)]
                )
    rest = b" ".join(items)
    if not started:
        session.put(b"* %d FETCH (%b)\r\n" % (message.number, rest))
    else:
        session.put((b" " + rest if rest else b"") + b")\r\n")
