"""SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE, COPY, MOVE, STORE, SEARCH, APPEND."""

from __future__ import annotations

from collections.abc import Sequence

from ...flags import DELETED, SEEN, SYSTEM
from ...mailbox.search import search as find
from ..response import (
    Answer,
    copy_uid,
    flag_list,
    ok,
    parenthesized,
    uid_set,
    untagged,
)
from ..selected import Selected
from ..session import Session
from ..types import (
    Close,
    Copy,
    Examine,
    Expunge,
    Move,
    Search,
    SearchReturn,
    Select,
    Store,
    Unselect,
)


async def select(session: Session, command: Select | Examine) -> Answer:
    """SELECT and EXAMINE (§6.3.1): a mailbox that was selected is left first."""
    await session.leave()
    read_only = isinstance(command, Examine)
    if command.condstore:
        session.condstore = True
    mailbox = await session.mailboxes.open(command.path, read_only=read_only)
    try:
        recent_from = await mailbox.take_recent()
        rows = await mailbox.rows()
        found = await mailbox.status()
    except BaseException:
        await mailbox.close()
        raise
    selected = Selected(
        rows.uids, found.highest_modseq, recent_from=recent_from, read_only=read_only
    )
    session.mailbox, session.selected = mailbox, selected
    mailbox.watch(session.changed)
    keywords = {flag for flags in set(rows.flags) for flag in flags} - set(SYSTEM)
    flags = frozenset({*SYSTEM, *keywords})
    session.put(b"* FLAGS %b\r\n" % flag_list(flags))
    permanent = b"()" if read_only else flag_list(flags)[:-1] + b" \\*)"
    session.put(b"* OK [PERMANENTFLAGS %b] Kept flags\r\n" % permanent)
    session.put(b"* %d EXISTS\r\n" % selected.exists)
    session.put(b"* %d RECENT\r\n" % selected.recent)
    for number, one in enumerate(rows.flags, 1):
        if SEEN not in one:
            session.put(b"* OK [UNSEEN %d] First unseen\r\n" % number)
            break
    session.put(b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % mailbox.uid_validity)
    session.put(b"* OK [UIDNEXT %d] Next UID\r\n" % found.uid_next)
    session.put(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % found.highest_modseq)
    code = b"READ-ONLY" if read_only else b"READ-WRITE"
    return ok("Mailbox selected", code)


async def close(session: Session, command: Close) -> Answer:
    """CLOSE (§6.4.2): expunges without a word, unless read-only."""
    mailbox, selected = session.open
    if not selected.read_only:
        await mailbox.expunge()
    await session.leave()
    return ok("Mailbox closed")


async def unselect(session: Session, command: Unselect) -> Answer:
    await session.leave()
    return ok("Mailbox left")


async def expunge(session: Session, command: Expunge) -> Answer:
    mailbox, selected = session.open
    uids: Sequence[int] | None = None
    if command.uids is not None:
        rows = await mailbox.rows(selected.uids_of(command.uids, uid=True))
        pairs = zip(rows.uids, rows.flags, strict=True)
        uids = [uid for uid, flags in pairs if DELETED in flags]
    done = await mailbox.expunge(uids)
    code = b""
    if session.condstore and done.uids:
        code = b"HIGHESTMODSEQ %d" % done.highest_modseq
    return ok("Expunged", code)


async def copy(session: Session, command: Copy) -> Answer:
    mailbox, selected = session.open
    uids = selected.uids_of(command.sequence_set, uid=command.uid)
    return ok("Copied", copy_uid(await mailbox.copy(uids, command.path)))


async def move(session: Session, command: Move) -> Answer:
    """MOVE (RFC 6851): COPYUID stands before the EXPUNGEs."""
    mailbox, selected = session.open
    uids = selected.uids_of(command.sequence_set, uid=command.uid)
    code = copy_uid(await mailbox.move(uids, command.path))
    if code:
        session.put(b"* OK [%b] Moved\r\n" % code)
    return ok("Moved")


async def store(session: Session, command: Store) -> Answer:
    mailbox, selected = session.open
    if command.unchanged_since is not None:
        session.condstore = True
    uids = selected.uids_of(command.sequence_set, uid=command.uid)
    await session.look()
    done = await mailbox.store_flags(
        uids, command.change, unchanged_since=command.unchanged_since
    )
    rows = done.rows
    modseq = session.condstore
    selected.told(rows, silent=command.silent)
    if not command.silent or command.unchanged_since is not None:
        for at, uid in enumerate(rows.uids):
            number = selected.number_of(uid)
            if number is None:
                continue
            items = []
            if command.uid or modseq:
                items.append(b"UID %d" % uid)
            if not command.silent:
                recent = selected.is_recent(uid)
                items.append(b"FLAGS " + flag_list(rows.flags[at], recent=recent))
            if modseq:
                items.append(b"MODSEQ (%d)" % rows.modseqs[at])
            session.put(b"* %d FETCH %b\r\n" % (number, parenthesized(items)))
    if done.modified:
        if command.uid:
            told = done.modified
        else:
            numbers = map(selected.number_of, done.modified)
            told = [number for number in numbers if number is not None]
        return ok("Some were changed meanwhile", b"MODIFIED " + uid_set(told))
    return ok("Stored")


async def search(session: Session, command: Search) -> Answer:
    mailbox, selected = session.open
    if command.uses_modseq:
        session.condstore = True
    recent = {uid for uid in selected.uids if selected.is_recent(uid)}
    uids = await find(
        mailbox, command.key, selected.uids, recent=recent, pause=session.pause
    )
    found = uids
    if not command.uid:
        numbers = map(selected.number_of, uids)
        found = [number for number in numbers if number is not None]
    modseq = b""
    if command.uses_modseq and uids:
        modseq = b"%d" % max((await mailbox.rows(uids)).modseqs, default=0)
    if command.returns is None:
        words = [b"%d" % number for number in found]
        if modseq:
            words.append(b"(MODSEQ %b)" % modseq)
        session.put(untagged(b"SEARCH", *words))
        return ok("Searched")
    return _esearch(session, command, command.returns, found, modseq)


def _esearch(
    session: Session,
    command: Search,
    returns: frozenset[SearchReturn],
    found: list[int],
    modseq: bytes,
) -> Answer:
    """* ESEARCH (RFC 4731 §3.1)."""
    tag = session.tag.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    words = [b"ESEARCH", b'(TAG "%b")' % tag]
    if command.uid:
        words.append(b"UID")
    if found:
        if SearchReturn.MIN in returns:
            words.append(b"MIN %d" % found[0])
        if SearchReturn.MAX in returns:
            words.append(b"MAX %d" % found[-1])
        if SearchReturn.ALL in returns:
            words.append(b"ALL " + uid_set(found))
    if SearchReturn.COUNT in returns:
        words.append(b"COUNT %d" % len(found))
    if modseq:
        words.append(b"MODSEQ " + modseq)
    session.put(untagged(*words))
    return ok("Searched")
