"""Rendered columns: from the cache, or parsed now and kept.

Files are read in a thread while the reactor parses what was read before, in slices.
"""

from __future__ import annotations

import mmap
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ...mailbox.model import KEPT, NO_PREVIEW, PREVIEWS, Column
from ...mailbox.previews import previews as make_previews
from ...mailbox.threaded import digests
from ...mime.index import indexed
from ...mime.slices import Buffer
from . import kept
from .live import Live

if TYPE_CHECKING:
    from .mailbox import MaildirMailbox

log = Logger()

SLICE_S = 0.005  # of parsing, before the reactor gets a turn
BATCH_OCTETS = 1 << 20  # read at a time, but for a single message that is larger
BATCH_MESSAGES = 128
KEEP_MESSAGES = 500  # parsed before they are written to the cache

_APART = KEPT | PREVIEWS | {Column.THREADING}  # what is not in the index

Read = list[bytes | mmap.mmap | None]
Rendered = tuple[int, dict[Column, bytes]]


async def rendered(
    mailbox: MaildirMailbox, uids: Sequence[int], columns: Sequence[Column]
) -> list[tuple[bytes, ...] | None]:
    """See IMailbox.rendered."""
    indexed = [column for column in columns if column not in _APART]
    if len(indexed) == len(columns):
        return await _cached(mailbox, uids, columns)
    live = mailbox.readable()
    apart: list[dict[int, dict[Column, bytes]]] = []
    if not KEPT.isdisjoint(columns):
        threads = Column.THREAD_ID in columns
        apart.append(await kept.kept(mailbox, live, uids, threads=threads))
    for column in PREVIEWS.intersection(columns):
        apart.append(await _previews(mailbox, live, uids, column))
    if Column.THREADING in columns:
        apart.append(await _threading(mailbox, live, uids))
    of_index: Sequence[tuple[bytes, ...] | None] = [()] * len(uids)
    if indexed:
        of_index = await _cached(mailbox, uids, indexed)
    found: list[tuple[bytes, ...] | None] = []
    for uid, row in zip(uids, of_index, strict=True):
        if (
            row is None
            or live.index(uid) is None
            or any(uid not in part for part in apart)
        ):
            found.append(None)
            continue
        values = dict(zip(indexed, row, strict=True))
        for part in apart:
            values |= part[uid]
        found.append(tuple([values[column] for column in columns]))
    return found


async def _previews(
    mailbox: MaildirMailbox, live: Live, uids: Sequence[int], column: Column
) -> dict[int, dict[Column, bytes]]:
    """From the cache; else NO_PREVIEW, or made and kept if that is not lazy."""
    files, object_id = mailbox.files, live.row.object_id
    cache = files.cache
    found = await files.cache_turn(cache.get, object_id, uids, (Column.PREVIEW,))
    previews = {uid: row[0] for uid, row in found.items()}
    missing = [uid for uid in uids if uid not in previews]
    if missing and column is Column.LAZY_PREVIEW:
        previews |= dict.fromkeys(missing, NO_PREVIEW)
    elif missing:
        made = await make_previews(mailbox, missing, _Turn(files.reactor).end)
        previews |= made
        rows = [(uid, {Column.PREVIEW: text}) for uid, text in made.items()]
        keep = files.cache_turn(cache.put, object_id, rows)
        keep.addErrback(_not_kept)
    return {uid: {column: text} for uid, text in previews.items()}


async def _threading(
    mailbox: MaildirMailbox, live: Live, uids: Sequence[int]
) -> dict[int, dict[Column, bytes]]:
    """From the cache, or made of what it has, and kept."""
    files, object_id = mailbox.files, live.row.object_id
    cache = files.cache
    found = await files.cache_turn(cache.get, object_id, uids, (Column.THREADING,))
    known = {uid: row[0] for uid, row in found.items()}
    missing = [uid for uid in uids if uid not in known]
    if missing:
        turn, digest = _Turn(files.reactor), digests()
        made: dict[int, bytes] = {}
        fields = await _cached(mailbox, missing, (Column.FIELDS,))
        for uid, row in zip(missing, fields, strict=True):
            if row is not None:
                made[uid] = digest(row[0])
                await turn.end()
        known |= made
        rows = [(uid, {Column.THREADING: octets}) for uid, octets in made.items()]
        keep = files.cache_turn(cache.put, object_id, rows)
        keep.addErrback(_not_kept)
    return {uid: {Column.THREADING: octets} for uid, octets in known.items()}


async def _cached(
    mailbox: MaildirMailbox, uids: Sequence[int], columns: Sequence[Column]
) -> list[tuple[bytes, ...] | None]:
    live, files = mailbox.readable(), mailbox.files
    cache, object_id = files.cache, live.row.object_id
    found = await files.cache_turn(cache.get, object_id, uids, columns)
    if list(found) == uids and not live.gone and live.run(uids) is not None:
        return list(found.values())
    missing = [uid for uid in uids if uid not in found]
    if missing:
        present = [live.uids[at] for at in live.places(missing)]
        if present:
            await _parse(mailbox, live, present, found, columns)
    if live.gone:
        return [None] * len(uids)
    here = {live.uids[at] for at in live.places(uids)}
    return [found.get(uid) if uid in here else None for uid in uids]


async def _parse(
    mailbox: MaildirMailbox,
    live: Live,
    uids: Sequence[int],
    found: dict[int, tuple[bytes, ...]],
    columns: Sequence[Column],
) -> None:
    files = mailbox.files
    batches = _batches(live, uids)
    fresh: list[Rendered] = []
    reading: Deferred[Read] | None = None
    try:
        for at, batch in enumerate(batches):
            if reading is None:
                reading = _read(mailbox, live, batch)
            octets, reading = await reading, None
            if None in octets:
                octets = await _read_again(mailbox, live, batch, octets)
            if at + 1 < len(batches):
                reading = _read(mailbox, live, batches[at + 1])
            await _index(files.reactor, batch, octets, fresh, found, columns)
            if len(fresh) >= KEEP_MESSAGES or at + 1 == len(batches):
                kept, fresh = fresh, []
                keep = files.cache_turn(files.cache.put, live.row.object_id, kept)
                keep.addErrback(_not_kept)
    finally:
        if reading is not None:
            reading.addCallbacks(_close, lambda _: None)


async def anew(
    mailbox: MaildirMailbox, uids: Sequence[int]
) -> AsyncIterator[tuple[int, int, dict[Column, bytes]]]:
    """(UID, octets, columns) of messages, read and parsed whatever the cache has."""
    live, turn = mailbox.readable(), _Turn(mailbox.files.reactor)
    for batch in _batches(live, uids):
        octets = await _read(mailbox, live, batch)
        try:
            for at, uid in enumerate(batch):
                message, octets[at] = octets[at], None
                if message is None:
                    continue
                made, size = await _indexed(message, turn), len(message)
                if isinstance(message, mmap.mmap):
                    message.close()
                yield uid, size, made
                await turn.end()
        finally:
            _close(octets)


async def _index(
    reactor: Any,
    uids: Sequence[int],
    octets: Read,
    fresh: list[Rendered],
    found: dict[int, tuple[bytes, ...]],
    columns: Sequence[Column],
) -> None:
    turn = _Turn(reactor)
    try:
        for at, uid in enumerate(uids):
            message = octets[at]
            if message is None:
                continue
            made = await _indexed(message, turn)
            octets[at] = None
            if isinstance(message, mmap.mmap):
                message.close()
            found[uid] = tuple([made[column] for column in columns])
            fresh.append((uid, made))
            await turn.end()
    finally:
        _close(octets)


async def _indexed(message: Buffer, turn: _Turn) -> dict[Column, bytes]:
    """A large message is left now and then, so that others get their turn."""
    work = indexed(message)
    try:
        while True:
            next(work)
            await turn.end()
    except StopIteration as done:
        made: dict[Column, bytes] = done.value
        return made
    finally:
        work.close()  # it may hold the map of a file


class _Turn:
    """Our time on the reactor."""

    def __init__(self, reactor: Any) -> None:
        self._reactor, self._began = reactor, reactor.seconds()

    async def end(self) -> None:
        """Give the reactor a turn if ours took long enough."""
        if self._reactor.seconds() - self._began > SLICE_S:
            await deferLater(self._reactor, 0)
            self._began = self._reactor.seconds()


def _batches(live: Live, uids: Sequence[int]) -> list[list[int]]:
    """`uids` in order, as many at a time as may be in memory."""
    batches: list[list[int]] = []
    room = 0
    for uid in uids:
        at = live.index(uid)
        octets = live.octets[at] if at is not None else 0
        if not batches or octets > room or len(batches[-1]) >= BATCH_MESSAGES:
            batches.append([])
            room = BATCH_OCTETS
        batches[-1].append(uid)
        room -= octets
    return batches


def _read(mailbox: MaildirMailbox, live: Live, uids: Sequence[int]) -> Deferred[Read]:
    reading: Deferred[Read] = mailbox.whole(live, uids)
    return reading


async def _read_again(
    mailbox: MaildirMailbox, live: Live, uids: Sequence[int], octets: Read
) -> Read:
    """Files that were not where they were: look, and try once more."""
    await mailbox.look_closely(live)
    lost = [at for at, one in enumerate(octets) if one is None]
    again = await _read(mailbox, live, [uids[at] for at in lost])
    for at, one in zip(lost, again, strict=True):
        octets[at] = one
    return octets


def _close(octets: Read) -> None:
    for one in octets:
        if isinstance(one, mmap.mmap):
            one.close()


def _not_kept(fault: object) -> None:
    log.error("rendered columns were not kept: {fault}", fault=fault)
