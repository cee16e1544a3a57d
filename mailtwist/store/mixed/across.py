"""Sessions whose messages may go from the mbox into the Maildir, or back.

They are appended there, all or none, and then leave here: a crash between leaves a
message that moves in both, as between two mbox files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import MessageGone
from ...flags import Flags
from ...mailbox.interfaces import IUpload
from ...mailbox.model import INBOX, Appended, Copied, Path, Range
from .. import state_identifiers
from ..maildir import change as maildir_change
from ..maildir.mailbox import MaildirMailbox
from ..mbox import change as mbox_change
from ..mbox.intake import mine
from ..mbox.mailbox import MboxMailbox

if TYPE_CHECKING:
    from .mailboxes import MixedMailboxes

BATCH = 50  # messages that are read at a time
BATCH_OCTETS = 4 << 20


class Across(MaildirMailbox):
    """See IMailbox."""

    tree: MixedMailboxes

    def _stays(self, target: Path) -> bool:
        """True if the target is of this kind."""
        return (self.readable().path == INBOX) == (target == INBOX)

    async def copy(self, uids: Sequence[int], target: Path) -> Copied:
        if self._stays(target):
            return await super().copy(uids, target)
        return await self._brought(uids, target, leave=False)

    async def move(self, uids: Sequence[int], target: Path) -> Copied:
        self.writable()
        if self._stays(target):
            return await super().move(uids, target)
        copied = await self._brought(uids, target, leave=True)
        await self.leave(copied.source_uids)
        return copied

    async def replace(
        self, uid: int, target: Path, message: tuple[IUpload, Flags, int | None]
    ) -> Appended:
        live = self.writable()
        if self._stays(target):
            return await super().replace(uid, target, message)
        await self._look()
        for old in live.messages([uid]):
            leaving = [(live.path, (-old.file_octets, -1))]
            appended = await self.tree.brought(target, [message], leaving)
            await self.leave([uid])
            return appended
        message[0].abort()
        raise MessageGone()

    async def leave(self, uids: Sequence[int]) -> None:
        """They are elsewhere by now, so nothing of them is kept."""
        live, files = self.writable(), self.files
        await files.turn(lambda: maildir_change.expunge(files, live, uids))

    async def _brought(
        self, uids: Sequence[int], target: Path, *, leave: bool
    ) -> Copied:
        live, tree = await self._look(), self.tree
        validity = (await tree.status(target)).uid_validity
        uploads: list[tuple[IUpload, Flags, int | None]] = []
        taken: list[int] = []
        octets = 0
        try:
            for some in self._batches(uids):
                rows = await self.rows(some)
                found = await self.octets([Range(uid) for uid in rows.uids])
                columns = rows.uids, rows.flags, rows.internal_dates, found
                for uid, flags, date, read in zip(*columns, strict=True):
                    if read is None:
                        continue  # it went meanwhile
                    upload = tree.upload(target)
                    uploads.append((upload, flags, date))
                    taken.append(uid)
                    octets += len(read)
                    waited = upload.write(read)
                    if waited is not None:
                        await waited
        except BaseException:
            for one, _, _ in uploads:
                one.abort()
            raise
        if not taken:
            return Copied(validity, [], [])
        less = [(live.path, (-octets, -len(taken)))] if leave else []
        appended = await tree.brought(target, uploads, less)
        await self._same_mail(taken, target, appended.uids)
        return Copied(appended.uid_validity, taken, appended.uids)

    def _batches(self, uids: Sequence[int]) -> list[list[int]]:
        live = self.readable()
        batches: list[list[int]] = [[]]
        held = 0
        for message in live.messages(uids):
            if batches[-1] and (
                len(batches[-1]) >= BATCH or held + message.octets > BATCH_OCTETS
            ):
                batches.append([])
                held = 0
            batches[-1].append(message.uid)
            held += message.octets
        return batches if batches[0] else []

    async def _same_mail(
        self, uids: Sequence[int], target: Path, new: Sequence[int]
    ) -> None:
        """They keep their identifiers (RFC 8474 §5.1)."""
        files, live = self.files, self.readable()

        def note(row_id: int) -> None:
            with files.transaction():
                state_identifiers.copy(
                    files.state,
                    live.row.id,
                    live.row.object_id,
                    row_id,
                    dict(zip(uids, new, strict=True)),
                )

        async def run() -> None:
            into = await files.opened(target)
            await files.thread(note, into.row.id)

        await files.turn(run)


class MixedFolder(Across):
    """A folder of the Maildir."""


class MixedInbox(Across, MboxMailbox):
    """The mbox."""

    tree: MixedMailboxes

    async def leave(self, uids: Sequence[int]) -> None:
        live, files = mine(self.writable()), self.tree.files
        await files.turn(lambda: mbox_change.expunge(files, live, uids))
