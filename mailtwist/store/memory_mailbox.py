"""One session's hold on a mailbox in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..errors import MailboxReadOnly, MessageGone, NoSuchMailbox
from ..flags import DELETED, Flags
from ..mailbox.identifiers import email_id, thread_keys, thread_of
from ..mailbox.interfaces import IReadByMany, IUpload
from ..mailbox.model import (
    PREVIEWS,
    Appended,
    Changes,
    Column,
    Copied,
    Expunged,
    FlagChange,
    MailboxStatus,
    MessageRows,
    Path,
    Range,
    Stored,
)
from ..mailbox.previews import previews
from ..mailbox.threaded import digests
from .memory_folder import Folder, NewMessage, StoredMessage

if TYPE_CHECKING:
    from .memory import MemoryMailboxes


@implementer(IReadByMany)
class MemoryMailbox:
    """See IMailbox.  Once the mailbox was deleted every method raises NoSuchMailbox."""

    def __init__(
        self, tree: MemoryMailboxes, folder: Folder, path: Path, read_only: bool
    ) -> None:
        self.path, self.object_id = path, folder.object_id
        self.uid_validity, self.read_only = folder.uid_validity, read_only
        self._tree, self._folder = tree, folder
        self._ends: list[Callable[[], None]] = []

    async def where(self) -> Path:
        return self._readable().path

    async def status(self) -> MailboxStatus:
        return self._readable().status()

    async def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        return self._readable().rows(uids)

    async def changes(self, modseq: int) -> Changes:
        return self._readable().changes(modseq)

    async def take_recent(self) -> int:
        return self._readable().take_recent(read_only=self.read_only)

    async def rendered(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[bytes, ...] | None]:
        from ..mime.index import index

        found: list[tuple[bytes, ...] | None] = []
        texts: dict[int, bytes] = {}
        digest = digests()
        if not PREVIEWS.isdisjoint(columns):
            texts = await previews(self, uids)
        messages = self._readable().messages
        for uid in uids:
            message = messages.get(uid)
            if message is None:
                found.append(None)
                continue
            if message.columns is None:
                message.columns = index(message.octets)
            values = message.columns | self._kept(uid, message)
            values |= dict.fromkeys(PREVIEWS, texts.get(uid, b""))
            if Column.THREADING in columns:
                values[Column.THREADING] = digest(values[Column.FIELDS])
            found.append(tuple(values[column] for column in columns))
        return found

    def _kept(self, uid: int, message: StoredMessage) -> dict[Column, bytes]:
        """The columns that are no rendering; message.columns are there."""
        own = email_id(message.email_id, self.object_id, uid)
        if not message.thread_id:
            fields = (message.columns or {})[Column.FIELDS]
            known = self._tree.threads
            message.thread_id = thread_of(
                thread_keys(fields, own), known, lambda: len(known) + 1
            )
        return {
            Column.EMAIL_ID: own,
            Column.THREAD_ID: b"%x" % message.thread_id,
            Column.SAVED_AT: b"%d" % message.saved_at if message.saved_at else b"",
        }

    async def octets(self, ranges: Sequence[Range]) -> list[bytes | None]:
        messages = self._readable().messages
        return [
            None
            if (message := messages.get(r.uid)) is None
            else _cut(message.octets, r)
            for r in ranges
        ]

    async def store_flags(
        self,
        uids: Sequence[int],
        change: FlagChange,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        return self._writable().store_flags(uids, change, unchanged_since)

    async def copy(self, uids: Sequence[int], target: Path) -> Copied:
        source, into = self._readable(), self._tree.folder(target)
        uids = source.present(uids)
        copies = self._copies(source, uids)
        octets = sum(len(copy.octets) for copy in copies)
        self._tree.need_room((target, octets, len(copies)))
        return Copied(into.uid_validity, uids, into.add(copies))

    def _copies(self, folder: Folder, uids: Sequence[int]) -> list[NewMessage]:
        now = self._tree.now()
        return [
            NewMessage(
                (m := folder.messages[uid]).octets,
                m.flags,
                m.internal_date,
                now,
                email_id(m.email_id, self.object_id, uid).decode(),
                m.thread_id,
            )
            for uid in uids
        ]

    async def move(self, uids: Sequence[int], target: Path) -> Copied:
        source, into = self._writable(), self._tree.folder(target)
        uids = source.present(uids)
        octets = sum(len(source.messages[uid].octets) for uid in uids)
        count = len(uids)
        self._tree.need_room((target, octets, count), (self.path, -octets, -count))
        moved = into.add(self._copies(source, uids))
        source.remove(uids)
        return Copied(into.uid_validity, uids, moved)

    async def replace(
        self, uid: int, target: Path, message: tuple[IUpload, Flags, int | None]
    ) -> Appended:
        source, into = self._writable(), self._tree.folder(target)
        old = source.messages.get(uid)
        if old is None:
            raise MessageGone()
        new = self._tree.new_message(*message)
        there, gone = (target, len(new.octets), 1), (self.path, -len(old.octets), -1)
        self._tree.need_room(there, gone)
        uids = into.add([new])
        source.remove([uid])
        message[0].abort()
        return Appended(into.uid_validity, uids)

    async def expunge(self, uids: Sequence[int] | None = None) -> Expunged:
        folder = self._writable()
        if uids is None:
            uids = [u for u, m in folder.messages.items() if DELETED in m.flags]
        gone = folder.remove(uids)
        return Expunged(gone, folder.highest_modseq)

    async def seen_by(self, reader: str) -> list[int]:
        folder = self._readable()
        return folder.present(sorted(folder.seen.get(reader, ())))

    async def see(
        self,
        reader: str,
        uids: Sequence[int],
        seen: bool,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        return self._readable().see(reader, uids, seen, unchanged_since)

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        end = self._folder.watch(changed)
        self._ends.append(end)
        return end

    async def close(self) -> None:
        """Also ends what `watch` began."""
        for end in self._ends:
            end()
        self._ends.clear()

    def _readable(self) -> Folder:
        if self._folder.deleted:
            raise NoSuchMailbox()
        return self._folder

    def _writable(self) -> Folder:
        if self.read_only:
            raise MailboxReadOnly()
        return self._readable()


def _cut(octets: bytes, part: Range) -> bytes:
    return octets[part.start : None if part.count is None else part.start + part.count]
