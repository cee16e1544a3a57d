"""The mailbox tree of an account whose mailboxes are mbox files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from attrs import evolve
from zope.interface import implementer

from ...errors import MailboxFault
from ...flags import Flags
from ...mailbox.interfaces import IIndexedMailboxes, IRights, IScripts, IUpload
from ...mailbox.model import INBOX, Appended, Path
from ..maildir import durable
from ..maildir.ledger import Amount, Page
from ..maildir.live import Live
from ..maildir.mailbox import MaildirMailbox
from ..maildir.mailboxes import MaildirMailboxes, MaildirUpload
from ..maildir.spool import Spool
from . import transfer
from .files import Locks, MboxFiles
from .journal import rewrite
from .mailbox import MboxMailbox


@implementer(IIndexedMailboxes, IRights, IScripts)
class MboxMailboxes(MaildirMailboxes):
    """See IMailboxes."""

    files: MboxFiles

    def session(self, live: Live, path: Path, read_only: bool) -> MaildirMailbox:
        return MboxMailbox(self, live, path, read_only)

    def upload(self, path: Path = INBOX) -> MaildirUpload:
        folder = os.path.join(self.files.account.home, "tmp")
        draft = os.path.join(folder, self.names.draft())
        make_folder = partial(durable.make_directories, [folder])
        return MaildirUpload(self.spooler.spool(draft, make_folder=make_folder))

    async def append(
        self, path: Path, messages: Sequence[tuple[IUpload, Flags, int | None]]
    ) -> Appended:
        return await self.taken(
            messages, lambda uploads: transfer.append(self, path, uploads)
        )

    async def delete(self, path: Path) -> None:
        if self.keeping is not None and path != INBOX:
            with suppress(MailboxFault):  # `delete` tells what is wrong
                mailbox = await self.open(path, read_only=True)
                try:
                    uids = (await mailbox.rows()).uids
                    await self.keeping.take_octets(mailbox, uids)
                finally:
                    await mailbox.close()
        await super().delete(path)

    async def _keep(self, path: Path, taken: set[int]) -> None:
        """`delete` did it."""

    async def measured(self) -> Amount:
        return await self.files.turn(self._looked)

    async def _looked(self) -> Amount:
        """Within a turn: every mailbox is looked at, and so the state is right."""
        files = self.files
        octets = messages = 0
        for path in await files.thread(files.place.listed):
            live = await files.opened(path)
            octets, messages = octets + live.total_file_octets, messages + len(live)
        return octets, messages

    async def _count(self) -> Page:
        await self._looked()
        return await super()._count()

    async def deliver(
        self,
        path: Path,
        prefix: bytes,
        content: tuple[bytes, ...] | Spool,
        sender: bytes,
        flags: Flags,
    ) -> None:
        """Append a message that comes for its owner, durably.

        It gets its UID at the next look.  Raises MailError."""
        files = self.files
        size = len(prefix)
        if isinstance(content, Spool):
            octets = transfer.Octets((prefix,), content)
            size += content.octets
        else:
            octets = transfer.Octets((prefix, *content))
            size += sum(map(len, content))

        def appended(locks: Locks) -> None:
            ((folder, lock),) = locks.items()
            size = os.fstat(lock.descriptor).st_size
            message = transfer.new_message(
                octets, files.config.quoting, sender, int(time.time())
            )
            message = evolve(message, marks=evolve(message.marks, flags=flags))
            parts = transfer.behind(lock.descriptor, size, message)
            rewrite(files.journal(folder), lock.descriptor, parts, lock.touch)

        async def deliver() -> None:
            await self.need_room([(path, (size, 1))])
            folder = await files.thread(files.place.folder_of, path)
            await files.locked({folder: True}, appended)
            if os.path.exists(files.counting.path):
                await files.opened(path)  # and so it is counted

        await files.turn(deliver)
