"""STORE (§6.4.6), conditional too (RFC 7162 §3.1.3)."""

from __future__ import annotations

from ...errors import MailboxReadOnly
from ...mailbox.model import MessageRows
from ..response import Answer, flag_list, no, ok, parenthesized, uid_set
from ..selected import Selected
from ..session import Session
from ..types import Store
from .fetch_columns import backwards
from .happened import changing
from .limit import tell_apart, touched
from .permitted import store_flags


async def store(session: Session, command: Store) -> Answer:
    _, selected = session.open
    if selected.read_only:
        raise MailboxReadOnly()
    if command.unchanged_since is not None:
        session.enable_condstore()
    limited = touched(session, selected.uids_of(command.sequence_set, uid=command.uid))
    uids = limited.uids
    await session.look_if_due()  # a change of others is known apart from ours
    done = await changing(
        session,
        uids,
        lambda: store_flags(session, uids, command.change, command.unchanged_since),
    )
    selected.told(done.rows, silent=command.silent)
    session.tell_keywords(done.rows.flags)
    if not command.silent or session.condstore:
        rows = done.rows if not limited.code else backwards(done.rows)
        await _tell(session, selected, command, rows)
    if done.modified:
        tell_apart(session, limited.code)
        modified = done.modified
        if not command.uid:
            numbers = (selected.number_of(uid) for uid in modified)
            modified = [number for number in numbers if number is not None]
        return ok("Conditional STORE failed for some", b"MODIFIED " + uid_set(modified))
    if limited.code:
        return ok("STORE completed for the newest messages", limited.code)
    gone = len(done.rows) < len(uids)
    if gone and not command.silent and not command.uid:  # RFC 2180 §4.2
        return no("Some of the messages are gone", b"EXPUNGEISSUED")
    return ok("STORE completed")


async def _tell(
    session: Session, selected: Selected, command: Store, rows: MessageRows
) -> None:
    """FETCH with FLAGS unless silent, with MODSEQ if CONDSTORE is on."""
    columns = zip(rows.uids, rows.flags, rows.modseqs, strict=True)
    for at, (uid, flags, modseq) in enumerate(columns):
        label = selected.label_of(uid)
        if label is None:
            continue
        items = []
        if (command.uid or session.condstore) and not selected.uid_only:
            items.append(b"UID %d" % uid)
        if not command.silent:
            items.append(b"FLAGS " + flag_list(flags, recent=selected.is_recent(uid)))
        if session.condstore:
            items.append(b"MODSEQ (%d)" % modseq)
        session.put(b"* %b %b\r\n" % (label, parenthesized(items)))
        if at % 1000 == 999:
            await session.flow()
