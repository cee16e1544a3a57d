"""APPEND and REPLACE (§6.3.11, RFC 8508): octets stream into the store, step by step.

All messages of a command are kept or none (RFC 3502 §6.3.11), and with REPLACE the old
one goes in the moment in which the new one is there.
"""

from __future__ import annotations

from ...errors import (
    BadMailboxName,
    BadSequence,
    BadUrl,
    MailboxReadOnly,
    MessageGone,
    MessageTooBig,
    OverQuota,
)
from ...mailbox.events import Cause
from ...mailbox.model import Appended
from ...mime.binary_parts import BinaryParts
from ..appending import Appending
from ..grammar.url import encoded_path, imap_url
from ..names import join, split
from ..response import Answer, append_uid, ok
from ..session import Session
from ..types_append import Append, MessageEnd, MessageStart, Step, TextPart, UrlPart
from ..url_content import opened
from .happened import arriving
from .limit import check_count
from .permitted import permitted_steps


async def start(session: Session, command: Append, steps: tuple[Step, ...]) -> None:
    """Make ready for the first octets; raises what makes them pointless."""
    ascii_headers = not (session.config.eight_bit_headers or session.engine.utf8)
    appending = Appending(command, ascii_headers=ascii_headers)
    session.appending = appending
    if command.replaces is not None:
        appending.replaced = _replaced(session, command)
    await more(session, steps)


def _replaced(session: Session, command: Append) -> int:
    """The UID of the message that goes."""
    _, selected = session.open
    if selected.read_only:
        raise MailboxReadOnly()
    if command.replaces is not None:
        for uid in selected.uids_of(command.replaces, uid=command.uid):
            return uid
    raise MessageGone()


async def more(session: Session, steps: tuple[Step, ...]) -> None:
    """Do the steps up to the next octets, and ask for these."""
    await _take_steps(_appending(session), session, steps)
    session.put(session.engine.accept_append())
    session.flush()


def _appending(session: Session) -> Appending:
    if session.appending is None:
        raise BadSequence()
    return session.appending


async def _take_steps(
    appending: Appending, session: Session, steps: tuple[Step, ...]
) -> None:
    path = appending.command.path
    for step in await permitted_steps(session, path, steps):
        match step:
            case MessageStart(flags, internal_date):
                upload = session.mailboxes.upload(path)
                appending.messages.append((upload, flags, internal_date))
            case TextPart(octets, synchronizing, binary):
                if binary and not appending.upload.octets:
                    appending.binary = appending.binary or BinaryParts()
                if appending.upload.octets + octets > session.config.message_octets:
                    raise MessageTooBig()
                if synchronizing:
                    await _check(appending, session, octets)
            case UrlPart(url):
                await _catenate(appending, session, url)
            case MessageEnd():
                await appending.finish()


async def _catenate(appending: Appending, session: Session, wire: bytes) -> None:
    """Octets of another message here (RFC 4469 §3), read and written in pieces."""
    base = None if session.mailbox is None else session.mailbox.path
    delimiter = session.config.delimiter
    at = b"/" if base is None else encoded_path(join(base, delimiter))
    try:
        url = imap_url(wire, at)
        if url.host is not None or url.auth is not None:
            raise BadUrl(wire, "Only URLs within this account can be catenated")
        path = split(url.mailbox, delimiter)
        content = await opened(session.mailboxes, url, path)
    except (BadUrl, BadMailboxName) as fault:
        raise BadUrl(wire, fault.public) from fault
    try:
        if appending.upload.octets + content.octets > session.config.message_octets:
            raise MessageTooBig()
        while piece := await content.read():
            await appending.write(piece)
            await session.connection.pause()
    finally:
        await content.close()


async def _check(appending: Appending, session: Session, octets: int) -> None:
    """A client that waits for "+" is told before it sends that the mailbox is missing
    or full.  One that does not wait has sent already: `end` finds the same faults."""
    path = appending.command.path
    if not appending.checked:
        selected = None if session.mailbox is None else session.mailbox.path
        if path not in (session.appended_to, selected):
            await session.mailboxes.status(path)
        appending.checked = True
    if appending.replaced is not None:
        return  # the store knows what goes for it
    octets += appending.octets
    if not await session.mailboxes.fits(path, octets, len(appending.messages)):
        raise OverQuota()


async def take(session: Session, octets: bytes) -> None:
    """Octets of a message; returns when the store can take more."""
    await _appending(session).write(octets)


async def end(session: Session, steps: tuple[Step, ...]) -> Answer:
    """The messages are whole: they are durable when this returns."""
    appending = _appending(session)
    await _take_steps(appending, session, steps)
    session.appended_to = None
    command, messages = appending.command, appending.messages
    if appending.replaced is not None:
        mailbox, _ = session.open
        uid = appending.replaced
        replacing = mailbox.replace(uid, command.path, messages[0])
        done = await arriving(session, Cause.APPEND, command.path, replacing)
        session.appending = None
        session.made(done.uid_validity, done.uids)
        return await _replaced_by(session, uid, done)
    check_count(session, len(messages))
    appending_all = session.mailboxes.append(command.path, messages)
    done = await arriving(session, Cause.APPEND, command.path, appending_all)
    session.appending, session.appended_to = None, command.path
    session.made(done.uid_validity, done.uids)
    return ok("APPEND completed", append_uid(done))


async def _replaced_by(session: Session, uid: int, done: Appended) -> Answer:
    """APPENDUID comes before the EXPUNGE (RFC 8508 §4.3)."""
    session.put(b"* OK [%b] Replacement is ready\r\n" % append_uid(done))
    _, selected = session.open
    selected.vanish([uid])
    if session.qresync:  # RFC 7162 §3.2.7, when all is known to us
        await session.look()
        code = b"HIGHESTMODSEQ %d" % selected.highest_modseq
        return ok("REPLACE completed", code)
    return ok("REPLACE completed")


def drop(session: Session) -> None:
    """The command in hand failed; forget its octets."""
    appending, session.appending = session.appending, None
    if appending is not None:
        appending.abort()
