"""Which rights a command needs (RFC 4314 §4), asked for before it is answered.

A mailbox that may not even be looked up is as one that is not there (RFC 4314 §6).
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from ...errors import NotPermitted
from ...flags import Flags
from ...mailbox.held_rights import keeper, need, personal, rights
from ...mailbox.limited_flags import store_limited
from ...mailbox.metadata import PRIVATE
from ...mailbox.model import Copied, FlagAction, FlagChange, Path, Stored
from ...mailbox.rights import ALL, Rights, changeable
from .. import types as t
from ..session import Session
from ..types_append import Append, MessageStart, Step
from ..types_kept import GetMetadata, SetMetadata

_CHANGING = frozenset("swtie")  # without any of them SELECT is EXAMINE (RFC 4314 §5.2)


async def rights_of_all(session: Session) -> dict[Path, Rights]:
    """By mailbox, of those that have not all to be had."""
    kept = keeper(session.mailboxes)
    return {} if kept is None else await kept.limited()


async def permit(session: Session, command: Any) -> Any:
    """The command as far as this login may give it; raises NotPermitted if it may not.

    For a store without rights this is `command`."""
    if session.login is None or keeper(session.mailboxes) is None:
        return command
    match command:
        case t.Select():
            await need(session.mailboxes, command.path, "r")
            if not _CHANGING & await rights(session.mailboxes, command.path):
                return t.Examine(command.path, command.condstore, command.resync)
        case t.Examine() | t.Status():
            await need(session.mailboxes, command.path, "r")
        case GetMetadata(path=path) if path:
            await need(session.mailboxes, path, "r")
        case SetMetadata(path=path) if path:
            private = all(name.startswith(PRIVATE) for name, _ in command.values)
            await need(session.mailboxes, path, "r" if private else "rw")
        case t.Create():
            await _need_above(session, command.path)
        case t.Delete():
            await need(session.mailboxes, command.path, "x")
        case t.Rename():
            await need(session.mailboxes, command.old, "x")
            await _need_above(session, command.new)
        case Append():
            await need(session.mailboxes, command.path, "i")
            if command.replaces is not None:
                await _need_here(session, "te")
        case t.Copy():
            await need(session.mailboxes, command.path, "i")
        case t.Move():
            await _need_here(session, "te")
            await need(session.mailboxes, command.path, "i")
        case t.Expunge():
            await _need_here(session, "e")
        case t.Close() if session.mailbox is not None:
            if "e" not in await rights(session.mailboxes, await _selected(session)):
                return t.Unselect()  # no fault (RFC 4314 §4)
    return command


async def _selected(session: Session) -> Path:
    """Where the selected mailbox is now, as it may have been renamed."""
    mailbox, _ = session.open
    path: Path = await mailbox.where()
    return path


async def _need_here(session: Session, wanted: str) -> None:
    """On the selected mailbox: that it is there is no secret."""
    await need(session.mailboxes, await _selected(session), wanted, is_open=True)


async def _need_above(session: Session, path: Path) -> None:
    """ "k" on the nearest parent that exists; the top is the login's own.  Of other
    namespaces those who share them ask themselves."""
    if not personal(session.mailboxes, path):
        return
    above = [path[:depth] for depth in range(len(path) - 1, 0, -1)]
    if (await rights_of_all(session)).keys().isdisjoint(above):
        return  # whichever it is, nothing is kept from this login
    known = {info.path for info in await session.mailboxes.listed() if info.object_id}
    for parent in above:
        if parent in known:
            await need(session.mailboxes, parent, "k")
            return


async def store_flags(
    session: Session, uids: list[int], change: FlagChange, unchanged_since: int | None
) -> Stored:
    """IMailbox.store_flags of the selected mailbox for the flags that may be changed;
    the others stay as they are.  Raises NotPermitted if there is none to change."""
    mailbox, _ = session.open
    held = ALL
    if keeper(session.mailboxes) is not None:
        held = await rights(session.mailboxes, await _selected(session))
    if held.issuperset("swt"):
        return await mailbox.store_flags(uids, change, unchanged_since=unchanged_since)
    replaces = change.action is FlagAction.REPLACE
    if held.isdisjoint("swt") or not (changeable(change.flags, held) or replaces):
        raise NotPermitted()
    return await store_limited(
        mailbox, uids, change, unchanged_since, lambda flags: changeable(flags, held)
    )


async def may_see(session: Session) -> bool:
    """True if FETCH may set \\Seen in the selected mailbox."""
    if keeper(session.mailboxes) is None:
        return True
    return "s" in await rights(session.mailboxes, await _selected(session))


async def drop_flags(session: Session, target: Path, copied: Copied) -> None:
    """Copies lose the flags that may not be set where they are now (RFC 4314 §4).

    In mailboxes of others they never had them."""
    if not personal(session.mailboxes, target):
        return
    held = await rights(session.mailboxes, target)
    if held.issuperset("swt") or not copied.target_uids:
        return
    mailbox = await session.mailboxes.open(target)
    try:
        rows = await mailbox.rows(copied.target_uids)
        flags: Flags = frozenset().union(*rows.flags)
        if lost := flags - changeable(flags, held):
            change = FlagChange(FlagAction.REMOVE, lost)
            await mailbox.store_flags(copied.target_uids, change)
    finally:
        await mailbox.close()


async def permitted_steps(
    session: Session, path: Path, steps: tuple[Step, ...]
) -> tuple[Step, ...]:
    """Messages to append keep the flags that may be set, the others are left out."""
    if not any(isinstance(step, MessageStart) and step.flags for step in steps):
        return steps
    held = await rights(session.mailboxes, path)
    return tuple(
        evolve(step, flags=changeable(step.flags, held))
        if isinstance(step, MessageStart)
        else step
        for step in steps
    )
