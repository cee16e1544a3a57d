"""SORT (RFC 5256 §3), also with RETURN (RFC 5267 §3), and THREAD."""

from __future__ import annotations

import re
from array import array
from hashlib import blake2b

from ...mailbox import sort as ordered
from ...mailbox.interfaces import IIndexedMailbox, IMailbox
from ...mailbox.thread import threads, written
from ...mailbox.threaded import threaded
from ...mailbox.turns import Turns
from ...seqset import SequenceSet
from ...sort_key import SortKey, ThreadAlgorithm
from ..response import Answer, no, string, untagged
from ..selected import Selected
from ..session import Session
from ..types_search import Sort, Thread
from .context import keep, wanted_key
from .search import completed, searched, tell_extended, tell_plain

MANY = 500  # messages whose threads are kept
_PIECE = 1 << 15  # octets of an answer
_NUMBER = re.compile(rb"[0-9]+")


async def sort(session: Session, command: Sort) -> Answer:
    mailbox, _ = session.open
    key = wanted_key(session, command.search)
    found = await searched(session, command.search, whole=True)
    uids = await ordered.sort(
        mailbox,
        command.criteria,
        found.uids,
        pause=session.connection.pause,
        scores=found.scores,
    )
    if command.search.returns is None:
        await tell_plain(session, command.search, "SORT", uids)
    else:
        await tell_extended(session, command.search, uids, _in_order, found.scores)
    if key is not None and any(
        one.key is SortKey.RELEVANCY for one in command.criteria
    ):
        code = b"NOUPDATE " + string(session.tag)
        session.put(no("The order by RELEVANCY is not kept up", code).encode())
    else:
        keep(session, command.search, key, uids, command.criteria)
    return completed(session, command.search, "SORT", found.code)


async def thread(session: Session, command: Thread) -> Answer:
    mailbox, selected = session.open
    found = await searched(session, command.search, whole=True)
    turns = Turns(session.connection.pause)
    told = await _threads(mailbox, command.algorithm, found.uids, turns)
    if not command.search.uid:
        told = await _numbered(told, selected, turns)
    session.put(untagged(b"THREAD", told) if told else untagged(b"THREAD"))
    return completed(session, command.search, "THREAD", found.code)


async def _threads(
    mailbox: IMailbox, algorithm: ThreadAlgorithm, uids: list[int], turns: Turns
) -> bytes:
    """The answer in UIDs; that of many messages is kept for the next who asks."""
    if len(uids) < MANY or not IIndexedMailbox.providedBy(mailbox):
        return await _made(mailbox, algorithm, uids, turns)
    octets = array("Q", [mailbox.uid_validity, *uids]).tobytes()
    of = blake2b(octets, digest_size=16).digest()
    kept: bytes | None = await mailbox.kept_threads(algorithm.name, of)
    if kept is None:
        kept = await _made(mailbox, algorithm, uids, turns)
        await mailbox.keep_threads(algorithm.name, of, kept)
    return kept


async def _made(
    mailbox: IMailbox, algorithm: ThreadAlgorithm, uids: list[int], turns: Turns
) -> bytes:
    messages = await threaded(mailbox, uids, turns=turns)
    heads = await threads(algorithm, messages, turns)
    return await written(heads, lambda uid: uid, turns)


async def _numbered(told: bytes, selected: Selected, turns: Turns) -> bytes:
    """With message numbers in place of UIDs, a piece at a time."""
    numbers = {
        b"%d" % uid: b"%d" % number for number, uid in enumerate(selected.uids, 1)
    }
    pieces, at = [], 0
    while at < len(told):
        end = told.find(b"(", at + _PIECE)
        end = len(told) if end < 0 else end
        pieces.append(_NUMBER.sub(lambda one: numbers[one[0]], told[at:end]))
        at = end
        await turns.spent(_PIECE / 10)
    return b"".join(pieces)


def _in_order(numbers: list[int]) -> SequenceSet:
    """As they come; only ascending neighbours make a range (RFC 5267 §3.2)."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] + 1 == number:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return SequenceSet(tuple(ranges))
