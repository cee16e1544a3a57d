"""What a login may do with mailboxes, whether their store keeps rights or not."""

from __future__ import annotations

from ..errors import NoSuchMailbox, NotPermitted
from .interfaces import IMailboxes, IRights
from .model import Path
from .rights import ALL, Rights


def keeper(mailboxes: IMailboxes) -> IRights | None:
    """`mailboxes` if they keep rights."""
    if not IRights.providedBy(mailboxes):
        return None
    kept: IRights = mailboxes
    return kept


async def rights(mailboxes: IMailboxes, path: Path) -> Rights:
    """All where the store keeps none, or knows no such mailbox and so says itself what
    is wrong."""
    kept = keeper(mailboxes)
    return ALL if kept is None else await kept.may(path)


async def need(mailboxes: IMailboxes, path: Path, wanted: str) -> None:
    """Raises NotPermitted unless the login has all the rights `wanted`, NoSuchMailbox
    if it may not even know of the mailbox (RFC 4314 §6)."""
    held = await rights(mailboxes, path)
    if not held.issuperset(wanted):
        if "l" not in held:
            raise NoSuchMailbox()
        raise NotPermitted()
