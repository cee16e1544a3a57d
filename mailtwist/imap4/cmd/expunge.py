"""EXPUNGE and UID EXPUNGE (§6.4.3, RFC 4315 §2.1)."""

from __future__ import annotations

from ...errors import MailboxReadOnly
from ...flags import DELETED
from ..response import Answer, ok
from ..session import Session
from ..types import Expunge
from .limit import tell_apart, touched


async def expunge(session: Session, command: Expunge) -> Answer:
    """Removes \\\\Deleted messages; EXPUNGE responses come before the tagged OK."""
    mailbox, selected = session.open
    if selected.read_only:
        raise MailboxReadOnly()
    uids: list[int] | None = None
    code = b""
    if command.uids is not None:
        rows = await mailbox.rows(selected.uids_of(command.uids, uid=True))
        pairs = zip(rows.uids, rows.flags, strict=True)
        limited = touched(session, [uid for uid, flags in pairs if DELETED in flags])
        uids, code = limited.uids, limited.code
    if uids is None or uids:
        done = await mailbox.expunge(uids)
        selected.vanish(done.uids)
        if session.qresync and done.uids:  # RFC 7162 §3.2.7, when all is known to us
            await session.look()
            tell_apart(session, code)
            code = b"HIGHESTMODSEQ %d" % selected.highest_modseq
    return ok("EXPUNGE completed", code)
