"""Deleted messages that are kept for a while, in mailboxes of their own.

They lie in `deleted` beside the account's state: a Maildir with a state, and each
message in the mailbox that it was in.  So everything that reads an account reads them
too (`Account.deleted`).  Before a message is expunged it gets a second name there, and
is durable in that state; a crash in between leaves it in both places and in none of
them half.  What was kept long enough goes when more comes, or when somebody asks, as
`service.purging` does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import evolve
from twisted.logger import Logger

from ...directory.model import Account
from ...errors import BadMailboxName, MailboxExists, StorageFull
from ...flags import DELETED
from ...mailbox.interfaces import IUpload
from ...mailbox.model import INBOX, Path, Range
from ...mailbox.purging import purge
from . import transfer
from .live import Live

if TYPE_CHECKING:
    from .mailbox import MaildirMailbox
    from .mailboxes import MaildirMailboxes

log = Logger("mailtwist")

FOLDER = "deleted"
PURGE_EVERY_S = 3600.0
MOST_PURGED = 500  # messages at a time, beside other work
BATCH_OCTETS = 8 * 1024 * 1024  # of messages that are copied at a time
BATCH = 100


def kept_account(account: Account) -> Account:
    """Where its deleted messages lie."""
    return evolve(
        account,
        home=os.path.join(account.home, FOLDER),
        mailbox="",
        storage_limit_octets=None,
        message_limit=None,
        mailbox_limits=(),
        mailboxes_limit=None,
        domain=None,
    )


class Keeping:
    """For one account; `kept()` gives the mailboxes of what it deleted."""

    def __init__(
        self,
        files_now: Callable[[], float],
        kept: Callable[[], MaildirMailboxes],
        keep_s: float,
        noted: Callable[[], None],
    ) -> None:
        """`files_now` is the reactor's clock; `noted` is told before something is
        kept."""
        self._noted = noted
        self._seconds, self._kept, self._keep_s = files_now, kept, keep_s
        self._purged_at: float | None = None

    async def take(
        self,
        tree: MaildirMailboxes,
        live: Live,
        uids: Sequence[int] | None,
        taken: set[int],
    ) -> list[int]:
        """Within the account's turn: keep what an expunge of `uids` is to remove; what
        that is.  `taken` remembers between the tries of one expunge what was done."""
        await tree.files.look(live)
        if uids is None:
            uids = marked(live)
        messages = [m for m in live.messages(uids) if m.uid not in taken]
        if messages:
            kept = self._kept()

            async def keep() -> None:
                path = await self._place(kept, live.path)
                await kept.files.turn(
                    lambda: transfer.kept(tree, live, messages, kept, path)
                )

            await self._if_there_is_room(keep)
            taken.update(message.uid for message in messages)
        return list(uids)

    async def _if_there_is_room(self, keep: Callable[[], Awaitable[None]]) -> None:
        """Users make room by deleting: on a full disk nothing more is kept."""
        self._noted()
        try:
            await keep()
            await self._purge_now_and_then()
        except StorageFull:
            log.error("deleted mail is not kept, as the disk is full")

    async def take_octets(
        self, mailbox: MaildirMailbox, uids: Sequence[int] | None
    ) -> list[int]:
        """As `take`, outside of turns, of a mailbox whose messages are no files."""
        await mailbox.status()
        if uids is None:
            uids = marked(mailbox.readable())
        rows = await mailbox.rows(uids)
        columns = rows.uids, rows.flags, rows.internal_dates, rows.octets
        kept = self._kept()

        async def keep() -> None:
            waiting: list[tuple[int, frozenset[str], int]] = []
            held = 0
            path = await self._place(kept, mailbox.path)
            for uid, flags, date, octets in zip(*columns, strict=True):
                if waiting and (held + octets > BATCH_OCTETS or len(waiting) >= BATCH):
                    await self._copied(mailbox, kept, path, waiting)
                    waiting, held = [], 0
                waiting.append((uid, flags - {DELETED}, date))
                held += octets
            await self._copied(mailbox, kept, path, waiting)

        if rows.uids:
            await self._if_there_is_room(keep)
        return list(uids)

    @staticmethod
    async def _copied(
        mailbox: MaildirMailbox,
        kept: MaildirMailboxes,
        path: Path,
        messages: Sequence[tuple[int, frozenset[str], int]],
    ) -> None:
        found = await mailbox.octets([Range(uid) for uid, _, _ in messages])
        uploads: list[tuple[IUpload, frozenset[str], int | None]] = []
        for (_, flags, date), octets in zip(messages, found, strict=True):
            if octets is not None:
                upload = kept.upload()
                uploads.append((upload, flags, date))
                waited = upload.write(octets)
                if waited is not None:
                    await waited
        await kept.append(path, uploads)

    @staticmethod
    async def _place(kept: MaildirMailboxes, path: Path) -> Path:
        """The mailbox for messages of `path`, made if it is missing."""
        try:
            with suppress(MailboxExists):
                await kept.create(path)
        except BadMailboxName:  # of another program's folder
            return INBOX
        return path

    # -- the end ------------------------------------------------------------------

    async def _purge_now_and_then(self) -> None:
        now = self._seconds()
        if self._purged_at is None or now - self._purged_at >= PURGE_EVERY_S:
            self._purged_at = now
            await self.purge(MOST_PURGED)

    async def purge(self, most: int | None = None) -> int:
        """Remove what was kept long enough, `most` messages of it; how many went."""
        return await purge(self._kept(), int(time.time() - self._keep_s), most)


def marked(live: Live) -> list[int]:
    """UIDs with \\Deleted."""
    pairs = zip(live.uids, live.flags, strict=True)
    return [uid for uid, flags in pairs if DELETED in flags]
