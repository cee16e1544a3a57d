"""The mailbox tree of an account with an mbox as INBOX and a Maildir for the rest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from zope.interface import implementer

from ...flags import Flags
from ...mailbox.interfaces import IIndexedMailboxes, IRights, IScripts, IUpload
from ...mailbox.model import INBOX, Appended, Path
from ..maildir import durable
from ..maildir import transfer as maildir_transfer
from ..maildir.ledger import Amount, Page
from ..maildir.live import Live
from ..maildir.mailbox import MaildirMailbox
from ..maildir.mailboxes import MaildirMailboxes, MaildirUpload
from ..mbox import transfer as mbox_transfer
from ..mbox.intake import MboxLive
from ..mbox.mailboxes import MboxMailboxes
from .across import MixedFolder, MixedInbox
from .files import MixedFiles

Change = tuple[Path, Amount]


@implementer(IIndexedMailboxes, IRights, IScripts)
class MixedMailboxes(MboxMailboxes):
    """See IMailboxes."""

    files: MixedFiles

    def session(self, live: Live, path: Path, read_only: bool) -> MaildirMailbox:
        if isinstance(live, MboxLive):
            return MixedInbox(self, live, path, read_only)
        return MixedFolder(self, live, path, read_only)

    def upload(self, path: Path = INBOX) -> MaildirUpload:
        """Its file may become one of the Maildir's, so it lies there."""
        folder = os.path.join(self.files.maildir, "tmp")
        draft = os.path.join(folder, self.names.draft())
        make_folder = partial(durable.make_directories, [folder])
        return MaildirUpload(self.spooler.spool(draft, make_folder=make_folder))

    async def append(
        self, path: Path, messages: Sequence[tuple[IUpload, Flags, int | None]]
    ) -> Appended:
        return await self.brought(path, messages)

    async def brought(
        self,
        path: Path,
        messages: Sequence[tuple[IUpload, Flags, int | None]],
        leaving: Sequence[Change] = (),
    ) -> Appended:
        """As `append`, of what leaves other mailboxes of the account afterwards."""
        if path == INBOX:
            return await self.taken(
                messages,
                lambda uploads: mbox_transfer.append(self, path, uploads, leaving),
            )
        return await self.taken(
            messages,
            lambda uploads: maildir_transfer.append(self, path, uploads, leaving),
        )

    async def delete(self, path: Path) -> None:
        await MaildirMailboxes.delete(self, path)  # INBOX stays

    async def _keep(self, path: Path, taken: set[int]) -> None:
        await MaildirMailboxes._keep(self, path, taken)

    # -- how much -------------------------------------------------------------

    async def measured(self) -> Amount:
        async def look() -> Amount:
            live = await self.files.opened(INBOX)
            octets, messages = await self.files.thread(self.files.counting.measured)
            return octets + live.total_file_octets, messages + len(live)

        return await self.files.turn(look)

    async def _count(self) -> Page:
        await self.files.opened(INBOX)  # its rows are what counts
        return await MaildirMailboxes._count(self)
