"""FETCH (§6.4.5): rows in chunks, told as columns or with octets of messages."""

from __future__ import annotations

from bisect import bisect_right

from ...mailbox.interfaces import IMailbox
from ...mailbox.model import MessageRows
from ...seqset import SequenceSet
from ..response import Answer, ok, uid_set
from ..selected import Selected
from ..session import Session
from ..types import Fetch, FetchAttribute, FetchFlags, FetchModSeq
from .earlier import check_enabled, tell_vanished
from .fetch_body import tell_bodies
from .fetch_columns import Plan, View, cut, picked
from .limit import check_count, tell_apart, touched

PLAIN_CHUNK = 2000  # messages of a chunk that needs nothing but rows
INDEX_CHUNK = 500  # of a chunk that asks the index


async def fetch(session: Session, command: Fetch) -> Answer:
    mailbox, selected = session.open
    plan = Plan.of(command.attributes)
    if command.vanished:
        check_enabled(session)
    if command.changed_since is not None or plan.has(FetchModSeq):
        session.enable_condstore()
    uids = selected.uids_of(command.sequence_set, uid=command.uid)
    if command.partial is not None:
        check_count(session, len(command.partial))
        uids = command.partial.of(uids)
    limited = touched(session, uids)
    uids = limited.uids
    if plan.sets_seen:
        await session.look_if_due()  # a change of others is known apart from ours
    if command.vanished:
        changes = await mailbox.changes(command.changed_since or 0)
        among = command.sequence_set
        await tell_vanished(
            session, SequenceSet.of_numbers(uids) if among.saved else among, changes
        )
    rows = await _rows(mailbox, selected, uids)
    gone = len(uids) - len(rows)
    if command.changed_since is not None:
        rows = _changed(rows, command.changed_since)
    view = View(session, mailbox, selected, plan)
    view.downwards = bool(limited.code)  # RFC 9738 §3.1
    size = INDEX_CHUNK if plan.columns or plan.reads else PLAIN_CHUNK
    starts = range(0, len(rows), size)
    for start in reversed(starts) if view.downwards else starts:
        gone += await _tell(view, cut(rows, start, start + size))
        await session.flow()
    if view.fault is not None:
        raise view.fault
    if gone and not command.uid:  # RFC 2180 §4.1, RFC 5530 §3
        tell_apart(session, limited.code)
        return ok("FETCH completed, some messages are gone", b"EXPUNGEISSUED")
    if limited.code:
        return ok("FETCH completed for the newest messages", limited.code)
    return ok("FETCH completed")


async def tell_of(
    session: Session, attributes: tuple[FetchAttribute, ...], uids: list[int]
) -> None:
    """FETCH responses that nobody asked for just now (RFC 5465 §5.2)."""
    mailbox, selected = session.open
    view = View(session, mailbox, selected, Plan.of(attributes))
    for start in range(0, len(uids), INDEX_CHUNK):
        rows = await mailbox.rows(uids[start : start + INDEX_CHUNK])
        await _tell(view, rows)
        await session.flow()


async def _tell(view: View, rows: MessageRows) -> int:
    """Tell these rows; how many of them turned out to be gone."""
    chunk = await view.chunk(rows)
    if view.plan.reads:
        told = await tell_bodies(view, chunk)
    else:
        view.flags_told(chunk.rows, asked=view.plan.has(FetchFlags))
        view.session.put(b"".join(view.lines(chunk)))
        told = len(chunk)
    if view.shown.exchanged:
        code = b"DOWNGRADED " + uid_set(sorted(view.shown.exchanged))  # RFC 6858 §3
        view.session.put(ok("Shown with headers in ASCII", code).encode())
        view.shown.exchanged.clear()
    return len(rows) - told


async def _rows(mailbox: IMailbox, selected: Selected, uids: list[int]) -> MessageRows:
    """The rows of `uids`; asking for all of a mailbox is cheaper than by UID."""
    if not uids:
        return MessageRows()
    if len(uids) < selected.exists:
        return await mailbox.rows(uids)
    rows = await mailbox.rows()
    if rows.uids and rows.uids[-1] > uids[-1]:  # new ones that were not told yet
        rows = cut(rows, 0, bisect_right(rows.uids, uids[-1]))
    return rows


def _changed(rows: MessageRows, since: int) -> MessageRows:
    """Those with a MODSEQ above `since` (RFC 7162 §3.1.4.1)."""
    return picked(rows, [at for at, m in enumerate(rows.modseqs) if m > since])
