"""What a login may do with mailboxes, whether their store keeps rights or not."""

from __future__ import annotations

from ..errors import NoSuchMailbox, NotPermitted
from .interfaces import IMailboxes, IRights, ISharedMailboxes
from .model import MailboxInfo, Namespaces, Path
from .rights import ALL, Rights


def keeper(mailboxes: IMailboxes) -> IRights | None:
    """`mailboxes` if they keep rights."""
    if not IRights.providedBy(mailboxes):
        return None
    kept: IRights = mailboxes
    return kept


def namespaces(mailboxes: IMailboxes) -> Namespaces | None:
    """Those of others, if any are shown."""
    if not ISharedMailboxes.providedBy(mailboxes):
        return None
    shared: ISharedMailboxes = mailboxes
    found: Namespaces = shared.namespaces
    return found


def personal(mailboxes: IMailboxes, path: Path) -> bool:
    """True if the mailbox is one of the login's own."""
    names = namespaces(mailboxes)
    return names is None or names.personal(path)


async def near(mailboxes: IMailboxes, path: Path) -> list[MailboxInfo]:
    """The names of all that is in the account of a mailbox, which is there."""
    if ISharedMailboxes.providedBy(mailboxes):
        shared: ISharedMailboxes = mailboxes
        return await shared.near(path)
    return await mailboxes.listed()


async def rights(mailboxes: IMailboxes, path: Path) -> Rights:
    """All where the store keeps none, or knows no such mailbox and so says itself what
    is wrong."""
    kept = keeper(mailboxes)
    return ALL if kept is None else await kept.may(path)


async def need(
    mailboxes: IMailboxes, path: Path, wanted: str, *, is_open: bool = False
) -> None:
    """Raises NotPermitted unless the login has all the rights `wanted`, NoSuchMailbox
    if it may not even know of the mailbox (RFC 4314 §6), unless it `is_open`."""
    check(await rights(mailboxes, path), wanted, is_open=is_open)


def check(held: Rights, wanted: str, *, is_open: bool = False) -> None:
    """As `need`, for what is held."""
    if not held.issuperset(wanted):
        if "l" not in held and not is_open:
            raise NoSuchMailbox()
        raise NotPermitted()
