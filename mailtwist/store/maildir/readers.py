"""What readers other than the owner have \\Seen; each within the account's turn.

A change of it gives the message a MODSEQ, so that other sessions of the reader learn of
it; to all others the message looks as before.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from ...mailbox.model import Stored
from .. import state_seen
from ..state import Message
from .account import AccountFiles
from .live import Delta, Live


async def seen_by(files: AccountFiles, live: Live, reader: str) -> list[int]:
    """See IReadByMany."""

    def look() -> set[int]:
        return state_seen.seen_by(files.state, live.row.id, reader)

    return sorted((await files.thread(look)).intersection(live.uids))


async def see(
    files: AccountFiles,
    live: Live,
    reader: str,
    uids: Sequence[int],
    seen: bool,
    unchanged_since: int | None,
) -> Stored:
    """See IReadByMany."""
    await files.look(live)
    delta, told, modified = await files.thread(
        _see, files, live, reader, uids, seen, unchanged_since
    )
    if not delta.empty:
        files.applied(live, delta)
    return Stored(live.rows(told), modified, live.row.highest_modseq)


def _see(
    files: AccountFiles,
    live: Live,
    reader: str,
    uids: Sequence[int],
    seen: bool,
    unchanged_since: int | None,
) -> tuple[Delta, list[int], list[int]]:
    """In a thread: (what changed, UIDs to tell, UIDs above `unchanged_since`)."""
    row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
    told: list[int] = []
    modified: list[int] = []
    changed: list[Message] = []
    with files.transaction(live):
        held = state_seen.seen_by(files.state, row.id, reader)
        for at in live.places(uids):
            uid = live.uids[at]
            if unchanged_since is not None and live.modseqs[at] > unchanged_since:
                modified.append(uid)
                continue
            told.append(uid)
            if (uid in held) is not seen:
                message = live.message(at)
                changed.append(message._replace(modseq=row.highest_modseq))
        if not changed:
            return Delta(live.row), told, modified
        held.symmetric_difference_update(message.uid for message in changed)
        held.intersection_update(live.uids)
        state_seen.put(files.state, row.id, reader, sorted(held))
        delta = Delta(row, changed=changed)
        files.record(live, delta)
    return delta, told, modified
