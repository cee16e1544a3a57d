"""SORT (RFC 5256 §3), also with RETURN (RFC 5267 §3), and THREAD."""

from __future__ import annotations

from ...mailbox import sort as ordered
from ...mailbox.thread import threads, written
from ...mailbox.threaded import threaded
from ...mailbox.turns import Turns
from ...seqset import SequenceSet
from ...sort_key import SortKey
from ..response import Answer, no, string, untagged
from ..session import Session
from ..types_search import Sort, Thread
from .context import keep, wanted_key
from .search import completed, searched, tell_extended, tell_plain


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
    messages = await threaded(mailbox, found.uids, turns=turns)
    heads = await threads(command.algorithm, messages, turns)
    number = (lambda uid: uid) if command.search.uid else selected.number_of
    told = await written(heads, number, turns)
    session.put(untagged(b"THREAD", told) if told else untagged(b"THREAD"))
    return completed(session, command.search, "THREAD", found.code)


def _in_order(numbers: list[int]) -> SequenceSet:
    """As they come; only ascending neighbours make a range (RFC 5267 §3.2)."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] + 1 == number:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return SequenceSet(tuple(ranges))
