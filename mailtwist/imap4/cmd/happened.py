"""Changes of messages that others act on (RFC 6785 §2.2): they are told of them even if
the client leaves meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...mailbox.events import Cause, Event
from ...mailbox.interfaces import IMailbox
from ...mailbox.model import Appended, Copied, Path, Stored
from ..session import Session

Came = TypeVar("Came", Appended, Copied)


async def arriving(
    session: Session,
    cause: Cause,
    path: Path,
    work: Awaitable[Came],
    source: IMailbox | None = None,
) -> Came:
    """What `work` gives, which puts messages into the mailbox `path`, from `source`."""
    events = session.events
    if session.login is None or not events:
        return await work
    from_ = None if source is None else await source.where()
    event = Event(session.login.account, cause, path, from_)

    async def then(done: Came) -> None:
        uids = done.uids if isinstance(done, Appended) else done.target_uids
        if uids:
            await events.arrived(event, uids)

    return await session.followed(work, then)


async def changing(
    session: Session, uids: list[int], work: Callable[[], Awaitable[Stored]]
) -> Stored:
    """What `work` gives, which changes flags of messages in the selected mailbox."""
    events = session.events
    if session.login is None or not events or not uids:
        return await work()
    mailbox, _ = session.open
    event = Event(session.login.account, Cause.FLAG, await mailbox.where())
    looked = await events.look(event, uids)
    if not looked:
        return await work()

    async def then(done: Stored) -> None:
        await events.changed(event, looked)

    return await session.followed(work(), then)
