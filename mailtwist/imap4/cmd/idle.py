"""IDLE (RFC 2177): from "+" to DONE, what happens is told at once."""

from __future__ import annotations

from ..response import Answer, ok
from ..session import Session
from ..types import Idle
from .context import tell
from .notify import tell_others


async def idle(session: Session, command: Idle) -> None:
    """Start; the command goes on until DONE."""
    if session.selected is not None:
        await session.look()
    session.put(session.engine.start_idle())
    await tell(session, None)
    session.flush()


async def news(session: Session) -> None:
    """What happened since, while no command is answered: in IDLE, or after NOTIFY."""
    await session.look_if_due()
    await tell(session, None)
    await tell_others(session)
    session.flush()


async def done(session: Session) -> Answer:
    return ok("IDLE completed")
