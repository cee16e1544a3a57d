"""VANISHED (EARLIER): what went while the client was away (RFC 7162 §3.2.5, §3.2.6)."""

from __future__ import annotations

from bisect import bisect_left

from ...errors import BadSequence
from ...mailbox.model import Changes
from ...seqset import STAR, SequenceSet
from ..response import flag_list
from ..session import Session
from ..types import Resync

EVERY = SequenceSet(((1, STAR),))


def check_enabled(session: Session) -> None:
    """Raises BadSequence before ENABLE QRESYNC."""
    if not session.qresync:
        raise BadSequence("ENABLE QRESYNC first")


async def resync(session: Session, asked: Resync) -> None:
    """What SELECT tells behind its own lines; nothing if UIDVALIDITY is another."""
    mailbox, selected = session.open
    if asked.uid_validity != mailbox.uid_validity:
        return
    changes = await mailbox.changes(asked.modseq)
    known = asked.known or EVERY
    behind = _matched(selected.uids, asked)
    await tell_vanished(session, _beyond(known, behind), changes)
    rows = changes.rows
    columns = zip(rows.uids, rows.flags, rows.modseqs, strict=True)
    for at, (uid, flags, modseq) in enumerate(columns):
        label = selected.label_of(uid)
        if label is None or (asked.known is not None and uid not in asked.known):
            continue
        told = flag_list(flags, recent=selected.is_recent(uid))
        session.put(
            b"* %b (UID %d FLAGS %b MODSEQ (%d))\r\n" % (label, uid, told, modseq)
        )
        if at % 1000 == 999:
            await session.flow()
    selected.told(rows)


async def tell_vanished(session: Session, among: SequenceSet, changes: Changes) -> None:
    """Of the UIDs `among`, those that went; all that are missing if nobody remembers.

    What this session has not been told yet as gone is told in its turn.
    """
    mailbox, selected = session.open
    view = selected.uids
    largest = (await mailbox.status()).uid_next - 1
    among = _upto(among.resolved(largest), largest)
    if changes.complete:
        gone = among.pick(changes.vanished)
        missing = SequenceSet.of_numbers(gone).without(view)
    else:
        missing = among.without(view)
    if missing:
        session.put(b"* VANISHED (EARLIER) %b\r\n" % missing.encode())


def _beyond(numbers: SequenceSet, known: int) -> SequenceSet:
    return SequenceSet(
        tuple(
            (max(low, known + 1), high) for low, high in numbers.ranges if high > known
        )
    )


def _upto(numbers: SequenceSet, largest: int) -> SequenceSet:
    """UIDs that were never given out cannot have vanished."""
    return SequenceSet(
        tuple(
            (low, min(high, largest)) for low, high in numbers.ranges if low <= largest
        )
    )


def _matched(view: list[int], asked: Resync) -> int:
    """The highest UID up to which the client knows all, by its pairs of message number
    and UID (RFC 7162 §3.2.5.2); 0 if none is right."""
    if asked.matches is None:
        return 0
    found = 0
    numbers, uids = (list(each.ranges) for each in asked.matches)
    at = other = taken = used = 0
    while at < len(numbers) and other < len(uids):
        low, high = numbers[at]
        uid_low, uid_high = uids[other]
        number, uid = low + taken, uid_low + used
        count = min(high - number, uid_high - uid) + 1
        found = max(found, _last_match(view, number, uid, count))
        taken, used = taken + count, used + count
        if low + taken > high:
            at, taken = at + 1, 0
        if uid_low + used > uid_high:
            other, used = other + 1, 0
    return found


def _last_match(view: list[int], number: int, uid: int, count: int) -> int:
    """The last UID of uid, uid + 1, ... that is message number, number + 1, ..."""
    count = min(count, len(view) - number + 1)
    if count <= 0:
        return 0
    # How far the view is ahead of the pairs never shrinks, as its UIDs ascend.
    ahead = range(count)
    at = bisect_left(ahead, 1, key=lambda n: view[number - 1 + n] - (uid + n)) - 1
    right = at >= 0 and view[number - 1 + at] == uid + at
    return uid + at if right else 0
