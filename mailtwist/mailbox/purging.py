"""Removing mail that was kept long enough."""

from __future__ import annotations

from contextlib import suppress

from ..errors import MailboxHasChildren
from .interfaces import IMailbox, IMailboxes
from .model import INBOX, Column


async def purge(mailboxes: IMailboxes, before_s: int, most: int | None = None) -> int:
    """Remove messages that came there before, as Unix time, `most` of them, and
    mailboxes that are empty then; how many messages went."""
    gone = 0
    for info in await mailboxes.listed():
        if not info.selectable or (most is not None and gone >= most):
            continue
        mailbox = await mailboxes.open(info.path)
        try:
            old = await saved_before(mailbox, before_s)
            old = old if most is None else old[: most - gone]
            if old:
                gone += len((await mailbox.expunge(old)).uids)
            left = (await mailbox.status()).messages
        finally:
            await mailbox.close()
        if not left and info.path != INBOX:
            with suppress(MailboxHasChildren):
                await mailboxes.delete(info.path)
    return gone


async def saved_before(mailbox: IMailbox, at_s: int) -> list[int]:
    """UIDs of messages that came there before, as Unix time."""
    uids = (await mailbox.rows()).uids
    found = await mailbox.rendered(uids, (Column.SAVED_AT,))
    return [
        uid
        for uid, row in zip(uids, found, strict=True)
        if row is not None and row[0] and int(row[0]) <= at_s
    ]
