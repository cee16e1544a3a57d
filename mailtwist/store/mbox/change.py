"""Changing flags and removing messages: one rewrite of the file, then the state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from attrs import evolve

from ...flags import DELETED, Flags
from ...mailbox.model import Expunged, FlagAction, FlagChange, Stored
from ..maildir.change import decided, name
from ..maildir.keywords import Spelling
from ..maildir.live import Delta
from ..state import MailboxRow
from .files import Locks, MboxFiles
from .intake import MboxLive, stamp_of
from .journal import rewrite
from .plan import Addition, Plan
from .scan import Layout

Done = tuple[Delta, Layout]


async def store_flags(
    files: MboxFiles,
    live: MboxLive,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: int | None,
) -> Stored:
    """See IMailbox.store_flags."""
    await files.look(live)
    if change.action is not FlagAction.REMOVE:
        spelling = Spelling(live.names)
        spelling.written(spelling.named(change.flags))
        if spelling.added:
            named = await files.thread(name, files, live, spelling.letters)
            files.applied(live, named)
    delta, layout, told, modified = await files.changing(
        {live: True}, _store_flags, files, live, uids, change, unchanged_since
    )
    files.done(live, delta, layout)
    return Stored(live.rows(told), modified, live.row.highest_modseq)


def _store_flags(
    locks: Locks,
    files: MboxFiles,
    live: MboxLive,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: int | None,
) -> tuple[Delta, Layout, list[int], list[int]]:
    """In a thread: (what changed, UIDs to tell, UIDs above `unchanged_since`)."""
    row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
    with files.transaction(live):
        told, modified, wanted = decided(
            live, uids, change, unchanged_since, row.highest_modseq
        )
        if not wanted:
            return Delta(live.row), live.layout, told, modified
        messages = [message for _, message in wanted]
        flags = {m.uid: live.names.flags(m.info, m.keywords) for m in messages}
        delta, layout = rewritten(locks, files, live, row, flags=flags)
        delta = evolve(delta, changed=messages)
        files.record(live, delta)
    return delta, layout, told, modified


async def expunge(
    files: MboxFiles, live: MboxLive, uids: Sequence[int] | None
) -> Expunged:
    """See IMailbox.expunge."""
    await files.look(live)
    found = await files.changing({live: True}, _expunge, files, live, uids)
    delta, layout = found
    files.done(live, delta, layout)
    gone = list(delta.vanished)
    if gone:
        files.cache_turn(files.cache.forget, live.row.object_id, gone)
    return Expunged(gone, live.row.highest_modseq)


def _expunge(
    locks: Locks, files: MboxFiles, live: MboxLive, uids: Sequence[int] | None
) -> Done:
    if uids is None:
        pairs = zip(live.uids, live.flags, strict=True)
        gone = [uid for uid, flags in pairs if DELETED in flags]
    else:
        gone = sorted(live.uids[at] for at in live.places(uids))
    if not gone:
        return Delta(live.row), live.layout
    row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
    with files.transaction(live):
        delta, layout = rewritten(locks, files, live, row, gone=set(gone))
        delta = evolve(delta, vanished=gone)
        files.record(live, delta)
    return delta, layout


def rewritten(
    locks: Locks,
    files: MboxFiles,
    live: MboxLive,
    row: MailboxRow,
    *,
    flags: Mapping[int, Flags] | None = None,
    gone: Collection[int] = (),
    added: Sequence[Addition] = (),
) -> Done:
    """Rewrite the file: a delta with the stamp, and how the file is then.

    In a thread, under an exclusive lock, in a transaction."""
    lock = locks[live.folder]
    plan = Plan(
        lock.descriptor,
        live.layout,
        files.base(live, row),
        row.recent_from,
        flags or {},
        gone,
        list(added),
    )
    rewrite(files.journal(live.folder), lock.descriptor, plan.parts(), lock.touch)
    stamp = stamp_of(lock.descriptor)
    return Delta(row, stamp=stamp, certain=True, listed=True), plan.made


async def stamp(files: MboxFiles, live: MboxLive) -> None:
    """Put UIDs into the file that are only in the state; see IMailbox.close."""
    if live.gone or live.layout.stamped:
        return
    delta, layout = await files.changing({live: True}, _stamp, files, live)
    files.done(live, delta, layout)


def _stamp(locks: Locks, files: MboxFiles, live: MboxLive) -> Done:
    with files.transaction(live):
        return rewritten(locks, files, live, live.row)
