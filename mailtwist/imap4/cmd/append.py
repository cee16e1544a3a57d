"""APPEND (§6.3.11): the target is looked at, then octets stream into the store."""

from __future__ import annotations

from ...errors import BadSequence, OverQuota
from ..response import Answer, append_uid, ok
from ..session import Session
from ..types import Append


async def start(session: Session, command: Append) -> None:
    """Make ready for the octets; raises what makes them pointless.

    A client that waits for "+" is told before it sends that the mailbox is missing or
    full.  One that does not wait has sent already: `end` finds the same faults.
    """
    if command.synchronizing:
        if command.path not in (session.appended_to, _selected(session)):
            await session.mailboxes.status(command.path)
        usage = await session.mailboxes.usage()
        if not usage.has_room(command.octets):
            raise OverQuota()
    session.upload, session.append = session.mailboxes.upload(), command
    session.put(session.engine.accept_append())
    session.flush()


def _selected(session: Session) -> object:
    return None if session.mailbox is None else session.mailbox.path


async def take(session: Session, octets: bytes) -> None:
    """Octets of the message; returns when the store can take more."""
    if session.upload is not None:
        waited = session.upload.write(octets)
        if waited is not None:
            await waited


async def end(session: Session) -> Answer:
    """The message is whole: it is durable when this returns."""
    upload, command = session.upload, session.append
    if upload is None or command is None:
        raise BadSequence()
    session.appended_to = None
    done = await session.mailboxes.append(
        command.path, [(upload, command.flags, command.internal_date)]
    )
    session.upload = session.append = None
    session.appended_to = command.path
    return ok("APPEND completed", append_uid(done))


def drop(session: Session) -> None:
    """The APPEND in hand failed; forget its octets."""
    upload, session.upload, session.append = session.upload, None, None
    if upload is not None:
        upload.abort()
