"""One session's hold on a mailbox that is an mbox file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...flags import Flags
from ...mailbox.interfaces import IIndexedMailbox, IUpload
from ...mailbox.model import (
    Appended,
    Copied,
    Expunged,
    FlagChange,
    Path,
    Range,
    Stored,
)
from ..maildir.live import Live
from ..maildir.mailbox import MaildirMailbox
from . import change, read, transfer
from .intake import MboxLive, mine
from .read import Changed, Wanted
from .scan import Entry

if TYPE_CHECKING:
    from .mailboxes import MboxMailboxes

log = Logger()

MOST_TRIES = 20  # while others change the file; then it is read under a lock


@implementer(IIndexedMailbox)
class MboxMailbox(MaildirMailbox):
    """See IMailbox."""

    tree: MboxMailboxes
    _live: MboxLive

    # -- reading --------------------------------------------------------------

    def whole(self, live: Live, uids: Sequence[int]) -> Deferred[list[Any]]:
        tmp = os.path.join(self.files.account.home, "tmp")

        def from_file(descriptor: int, entries: Sequence[Entry | None]) -> list[Any]:
            return read.whole(descriptor, entries, tmp)

        return Deferred.fromCoroutine(self._from_file(live, uids, from_file))

    async def _read(self, live: Live, ranges: Sequence[Range]) -> list[bytes | None]:
        def from_file(descriptor: int, entries: Sequence[Entry | None]) -> list[Any]:
            wanted = [
                None if entry is None else Wanted(entry, one.start, one.count)
                for entry, one in zip(entries, ranges, strict=True)
            ]
            return read.ranges(descriptor, wanted, self.tree.places, live.folder)

        return await self._from_file(live, [one.uid for one in ranges], from_file)

    async def _from_file(
        self,
        live: Live,
        uids: Sequence[int],
        work: Callable[[int, Sequence[Entry | None]], list[Any]],
    ) -> list[Any]:
        """`work` on the open file and where these messages are in it."""
        box, files = mine(live), self.tree.files

        def from_file(descriptor: int) -> list[Any]:
            return work(descriptor, list(map(layout.entry, uids)))

        for _ in range(MOST_TRIES):
            layout = box.layout
            found = await self.defer(read.as_it_was, box.folder, box.stamp, from_file)
            if not isinstance(found, Changed):
                return list(found)
            await files.turn(lambda: files.look(box))

        async def locked() -> list[Any]:
            return await files.changing(
                {box: False},
                lambda locks: work(
                    locks[box.folder].descriptor,
                    list(map(box.layout.entry, uids)),
                ),
            )

        return await files.turn(locked)

    # -- changing -------------------------------------------------------------

    async def store_flags(
        self,
        uids: Sequence[int],
        change_: FlagChange,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        live, files = self.writable(), self.tree.files
        return await files.turn(
            lambda: change.store_flags(files, live, uids, change_, unchanged_since)
        )

    async def copy(self, uids: Sequence[int], target: Path) -> Copied:
        live = self.readable()
        return await self.files.turn(
            lambda: transfer.copy(self.tree, live, uids, target)
        )

    async def move(self, uids: Sequence[int], target: Path) -> Copied:
        live = self.writable()
        return await self.files.turn(
            lambda: transfer.move(self.tree, live, uids, target)
        )

    async def expunge(self, uids: Sequence[int] | None = None) -> Expunged:
        live, files = self.writable(), self.tree.files
        if self.tree.keeping is not None:
            uids = await self.tree.keeping.take_octets(self, uids)
        return await files.turn(lambda: change.expunge(files, live, uids))

    async def replace(
        self, uid: int, target: Path, message: tuple[IUpload, Flags, int | None]
    ) -> Appended:
        live = self.writable()
        return await self.tree.taken(
            [message],
            lambda uploads: transfer.replace(self.tree, live, uid, target, uploads[0]),
        )

    def readable(self) -> MboxLive:
        return mine(super().readable())

    def writable(self) -> MboxLive:
        return mine(super().writable())

    async def close(self) -> None:
        """Also puts UIDs into the file that are only in the state yet."""
        was_open = not self._closed
        await super().close()
        live, files = self._live, self.tree.files
        if was_open and not (self.read_only or live.gone or live.layout.stamped):
            await files.turn(lambda: change.stamp(files, live))
