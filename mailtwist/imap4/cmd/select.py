"""SELECT, EXAMINE, CLOSE, UNSELECT."""

from __future__ import annotations

from ...flags import SEEN
from ...mailbox.held_rights import rights
from ...mailbox.identifiers import mailbox_id
from ...mailbox.model import MessageRows
from ..response import Answer, ok
from ..selected import Selected
from ..session import Session
from ..types import Close, Examine, Select, Unselect
from .earlier import check_enabled, resync
from .list import mailbox_line
from .urlauth import URLMECH


async def select(session: Session, command: Select | Examine) -> Answer:
    """SELECT and EXAMINE (§6.3.1): a mailbox that was selected is left first."""
    if command.resync is not None:
        check_enabled(session)
    if session.mailbox is not None:
        await session.leave()
        session.put(b"* OK [CLOSED] Previous mailbox is closed\r\n")  # RFC 7162 §3.2.11
    if command.condstore:
        session.condstore = True
    examines = isinstance(command, Examine)
    mailbox = await session.mailboxes.open(command.path, read_only=examines)
    session.held_rights = await rights(session.mailboxes, command.path)
    read_only = mailbox.read_only  # SELECT may be refused more (§6.3.1)
    try:
        session.enter(mailbox)
        rev2 = session.engine.rev2  # has neither RECENT nor UNSEEN (RFC 9051 §6.3.2)
        recent_from = await mailbox.take_recent()
        # Rows may be newer than the figures, never older: what is between the two is
        # learned again with the next look.
        found = await mailbox.status()
        rows = await mailbox.rows()
        listed = b""
        if rev2:
            listed = await mailbox_line(session, command.path, session.supplied)
    except BaseException:
        await session.leave()
        raise
    selected = session.selected = Selected(
        rows.uids,
        found.highest_modseq,
        recent_from=recent_from,
        read_only=read_only,
        uid_only=session.engine.uid_only,
    )
    if rev2:
        selected.forget_recent()
    session.tell_keywords(rows.flags, first=True)
    session.put(b"* %d EXISTS\r\n" % selected.exists)
    if not rev2:
        session.put(b"* %d RECENT\r\n" % selected.recent)
        if not selected.uid_only and found.unseen:
            _tell_first_unseen(session, rows)
    uid_next = max(found.uid_next, rows.uids[-1] + 1 if rows.uids else 1)
    session.put(b"* OK [UIDVALIDITY %d] UIDs are valid\r\n" % mailbox.uid_validity)
    session.put(b"* OK [UIDNEXT %d] Predicted next UID\r\n" % uid_next)
    if session.offers("OBJECTID"):
        told = mailbox_id(mailbox.object_id)
        session.put(b"* OK [MAILBOXID (%b)] Its object id\r\n" % told)
    session.put(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % found.highest_modseq)
    if session.offers("URLAUTH"):
        session.put(b"* OK [%b] For URLs of its messages\r\n" % URLMECH)
    session.put(listed)
    if command.resync is not None:
        await resync(session, command.resync)
    return ok(
        "EXAMINE completed" if examines else "SELECT completed",
        b"READ-ONLY" if read_only else b"READ-WRITE",
    )


def _tell_first_unseen(session: Session, rows: MessageRows) -> None:
    for number, flags in enumerate(rows.flags, 1):
        if SEEN not in flags:
            session.put(b"* OK [UNSEEN %d] First unseen\r\n" % number)
            break


async def close(session: Session, command: Close) -> Answer:
    """CLOSE (§6.4.2): expunges without a word, unless read-only."""
    if session.mailbox is not None and not session.mailbox.read_only:
        await session.mailbox.expunge()
    await session.leave()
    return ok("CLOSE completed")


async def unselect(session: Session, command: Unselect) -> Answer:
    """UNSELECT (RFC 3691)."""
    await session.leave()
    return ok("UNSELECT completed")
