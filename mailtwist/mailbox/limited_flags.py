"""Changes of flags by somebody who may not change them all (RFC 4314 §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve

from ..flags import Flags
from .interfaces import IMailbox
from .model import FlagAction, FlagChange, Stored


async def store_limited(
    mailbox: IMailbox,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: int | None,
    changeable: Callable[[Flags], Flags],
) -> Stored:
    """As IMailbox.store_flags for those flags that are `changeable`; others stay as
    they are, whoever set them."""
    flags = changeable(change.flags)
    replaces = change.action is FlagAction.REPLACE
    action = FlagAction.ADD if replaces else change.action
    done = await mailbox.store_flags(
        uids, FlagChange(action, flags), unchanged_since=unchanged_since
    )
    if not replaces:
        return done
    wanted = {flag.lower() for flag in flags}
    there: Flags = frozenset().union(*done.rows.flags)
    others = frozenset(flag for flag in changeable(there) if flag.lower() not in wanted)
    if not others:
        return done
    gone = FlagChange(FlagAction.REMOVE, others)
    return evolve(
        await mailbox.store_flags(done.rows.uids, gone), modified=done.modified
    )
