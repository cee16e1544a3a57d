"""COPY and MOVE (§6.4.7, RFC 6851), with COPYUID (RFC 4315 §3)."""

from __future__ import annotations

from collections.abc import Awaitable

from ...errors import MailboxReadOnly, MessageGone
from ...mailbox.events import Cause
from ...mailbox.model import Copied, Path
from ..response import Answer, copy_uid, ok
from ..session import Session
from ..types import Copy, Move
from .happened import arriving
from .limit import check_count, tell_apart, touched
from .permitted import drop_flags


async def copy(session: Session, command: Copy) -> Answer:
    """All of them or none; those that others expunged meanwhile do not count."""
    mailbox, selected = session.open
    uids = selected.uids_of(command.sequence_set, uid=command.uid)
    check_count(session, len(uids), uids)
    copied = await _copied(session, command.path, mailbox.copy(uids, command.path))
    _check_any(command, uids, copied)
    session.made(copied.uid_validity, copied.target_uids)
    return ok("COPY completed", copy_uid(copied))


async def move(session: Session, command: Move) -> Answer:
    """COPYUID stands in an untagged OK before the EXPUNGEs (RFC 6851 §4.3)."""
    mailbox, selected = session.open
    if selected.read_only:
        raise MailboxReadOnly()
    limited = touched(session, selected.uids_of(command.sequence_set, uid=command.uid))
    uids = limited.uids
    moved = await _copied(session, command.path, mailbox.move(uids, command.path))
    _check_any(command, uids, moved)
    code = limited.code
    if moved.source_uids:
        session.put(b"* OK [%b] Moved\r\n" % copy_uid(moved))
        selected.vanish(moved.source_uids)
        if session.condstore:  # RFC 6851 §4.4, when all is known to us
            await session.look()
            tell_apart(session, code)
            code = b"HIGHESTMODSEQ %d" % selected.highest_modseq
    return ok("MOVE completed", code)


async def _copied(session: Session, path: Path, work: Awaitable[Copied]) -> Copied:
    """The copies, with the flags that they may have."""

    async def copying() -> Copied:
        copied = await work
        await drop_flags(session, path, copied)
        return copied

    mailbox, _ = session.open
    return await arriving(session, Cause.COPY, path, copying(), mailbox)


def _check_any(command: Copy | Move, uids: list[int], copied: Copied) -> None:
    """RFC 2180 §4.4.1: message numbers of which none is left are NO."""
    if uids and not copied.source_uids and not command.uid:
        raise MessageGone("All of these messages are gone")
