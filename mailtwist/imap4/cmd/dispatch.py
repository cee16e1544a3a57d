"""From an event of the engine to what the client is told; every fault ends here."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ...errors import BadCharsetUnsaved, MailError
from ..events import (
    AppendEnd,
    AppendMore,
    AppendOctets,
    AppendStart,
    Asked,
    Continue,
    Event,
    IdleDone,
    Refused,
)
from ..response import Answer, answer_for
from ..session import MailboxDeleted, Session, StreamBroken
from . import append, idle
from .context import tell
from .filters import put_in
from .normalized import ANNOUNCED, announce, normalized
from .permitted import permit
from .table import HANDLERS

log = Logger()


async def answer(session: Session, event: Event) -> Answer | None:
    """What ends the open event, or None if there is nothing to end yet.

    Untagged responses are put before.  Raises MailboxDeleted and StreamBroken, after
    which the connection cannot go on.
    """
    try:
        found = await _answer(session, event)
        await session.caught_up()
        return found
    except (CancelledError, MailboxDeleted, StreamBroken):
        raise
    except MailError as fault:  # expected: the client is told
        found = answer_for(fault, try_create=_try_create(event))
    except Exception:  # unexpected: the log is told everything, the client nothing
        log.failure(
            "imap4 {s} answering {what}", s=session.peer.session, what=_of(event)
        )
        found = answer_for(MailError())
    append.drop(session)
    await session.caught_up()
    if session.notice is not None:
        session.notice.own.clear()  # nothing was changed after all
    return found


async def _answer(session: Session, event: Event) -> Answer | None:
    match event:
        case Asked(tag, _, command):
            session.tag = tag
            command = await permit(session, await normalized(session, command))
            command = await put_in(session, command)
            found = await HANDLERS[type(command)](session, command)
            if session.supplied is not None and isinstance(command, ANNOUNCED):
                await announce(session, command, found)
            return found
        case Continue(octets):
            session.put(octets)
        case AppendStart(_, _, command, steps):
            command = await permit(session, await normalized(session, command))
            await append.start(session, command, steps)
        case AppendMore(steps):
            await append.more(session, steps)
        case AppendOctets(octets):
            await append.take(session, octets)
        case AppendEnd(steps):
            return await append.end(session, steps)
        case IdleDone():
            return await idle.done(session)
        case Refused(_, fault, deselects, _):
            if deselects:
                await session.leave()
            if isinstance(fault, BadCharsetUnsaved) and session.selected is not None:
                session.selected.saved = []
            raise fault
        case _:
            raise MailError()
    return None


def _try_create(event: Event) -> bool:
    """True if a missing mailbox is the target of the command."""
    if isinstance(event, Asked | AppendStart):
        return event.row.try_create
    return isinstance(event, AppendMore | AppendEnd)


def _of(event: Event) -> str:
    return event.row.name if isinstance(event, Asked) else type(event).__name__


async def finish(session: Session, event: Event, found: Answer) -> None:
    """Put untagged news as far as they may be told now, then the tagged line.

    Behind a refused command nothing is told: it may have been one with numbers.
    """
    if session.selected is not None and not isinstance(event, Refused):
        await session.look_if_due()
        await tell(session, event.row if isinstance(event, Asked) else None)
    session.put(session.engine.finish(found))
