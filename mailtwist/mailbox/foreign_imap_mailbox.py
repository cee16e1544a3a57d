"""An IMailboxIMAP as IMailbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.mail.imap4 import MailboxException, MessageProducer, MessageSet
from twisted.mail.interfaces import (
    ICloseableMailboxIMAP,
    IMailboxIMAPListener,
    IMessageIMAPFile,
)
from zope.interface import implementer

from ..errors import MailboxReadOnly, NotPermitted
from ..flags import DELETED, RECENT, SEEN, Flags, canonical
from ..mime.index import index
from .compat_imap_mailbox import seconds_of
from .foreign_asked import MOST_IN_MEMORY, asked, cut, with_crlf
from .interfaces import IMailbox
from .model import (
    PREVIEWS,
    Appended,
    Changes,
    Column,
    Copied,
    Expunged,
    FlagAction,
    FlagChange,
    MailboxStatus,
    MessageRows,
    Path,
    Range,
    Stored,
)
from .previews import previews
from .threaded import digests
from .watchers import Watchers

if TYPE_CHECKING:
    from .foreign_imap import ForeignMailboxes

MOST_FILES = 8  # messages kept open, each up to MOST_IN_MEMORY octets in memory
MOST_INDEXED = 2000  # messages of which the rendered columns are kept
MODES = {FlagAction.REPLACE: 0, FlagAction.ADD: 1, FlagAction.REMOVE: -1}


@frozen
class Row:
    """A message as it was seen last; `octets` with CRLF line ends."""

    flags: Flags
    octets: int
    internal_date: int
    modseq: int


@implementer(IMailbox, IMailboxIMAPListener)
class ForeignMailbox:
    """One session's hold on a mailbox of other people.

    The avatar is asked anew at each look, and what differs gets a MODSEQ that counts in
    this session alone.  A message is read once to learn its size: that of the avatar
    may be without CR.
    """

    def __init__(
        self, tree: ForeignMailboxes, box: Any, path: Path, read_only: bool
    ) -> None:
        self.path, self.object_id = path, "/".join(path)
        self.uid_validity, self.read_only = 1, read_only
        self._tree, self._box = tree, box
        self._rows: dict[int, Row] = {}
        self._messages: dict[int, Any] = {}
        self._modseq = 1
        self._vanished: list[tuple[int, int]] = []
        self._files: dict[int, IO[bytes]] = {}
        self._columns: dict[int, dict[Column, bytes]] = {}
        self._watchers: Watchers[int] = Watchers()

    @classmethod
    async def load(
        cls, tree: ForeignMailboxes, box: Any, path: Path, read_only: bool
    ) -> ForeignMailbox:
        read_only = read_only or not await asked(box.isWriteable)
        made = cls(tree, box, path, read_only)
        made.uid_validity = int(await asked(box.getUIDValidity))
        await made._look()
        box.addListener(made)
        return made

    # -- looking ----------------------------------------------------------------

    async def _look(self) -> None:
        modseq, rows, messages = self._modseq + 1, {}, {}
        for message in await self._fetched():
            uid = int(await asked(message.getUID))
            messages[uid] = message
            known = self._rows.get(uid)
            flags = _flags(await asked(message.getFlags))
            if known is None:
                self._messages[uid] = message
                octets = await self._octets_of(uid)
                date = _date(await asked(message.getInternalDate))
                rows[uid] = Row(flags, octets, date, modseq)
            elif known.flags != flags:
                rows[uid] = evolve(known, flags=flags, modseq=modseq)
            else:
                rows[uid] = known
        gone = sorted(self._rows.keys() - rows.keys())
        if gone or any(row.modseq == modseq for row in rows.values()):
            self._modseq = modseq
        self._vanished += ((modseq, uid) for uid in gone)
        self._rows = dict(sorted(rows.items()))
        self._messages = messages
        for uid in gone:
            self._columns.pop(uid, None)
            self._forget(uid)

    async def _fetched(self) -> list[Any]:
        count = int(await asked(self._box.getMessageCount))
        if not count:
            return []
        found = await asked(self._box.fetch, MessageSet(1, count), False)
        return [message for _, message in found]

    async def where(self) -> Path:
        """Nobody tells of renames."""
        return self.path

    async def status(self) -> MailboxStatus:
        await self._look()
        rows = self._rows
        uid_next = int(await asked(self._box.getUIDNext))
        return MailboxStatus(
            messages=len(rows),
            recent=int(await asked(self._box.getRecentCount)),
            unseen=sum(SEEN not in row.flags for row in rows.values()),
            deleted=sum(DELETED in row.flags for row in rows.values()),
            octets=sum(row.octets for row in rows.values()),
            uid_next=max([uid_next, *(uid + 1 for uid in rows)]),
            uid_validity=self.uid_validity,
            highest_modseq=self._modseq,
        )

    async def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        return self._chosen(self._rows if uids is None else uids)

    def _chosen(self, uids: Iterable[int]) -> MessageRows:
        found = [uid for uid in uids if uid in self._rows]
        rows = [self._rows[uid] for uid in found]
        return MessageRows(
            found,
            [row.modseq for row in rows],
            [row.flags for row in rows],
            [row.octets for row in rows],
            [row.internal_date for row in rows],
        )

    async def changes(self, modseq: int) -> Changes:
        await self._look()
        changed = [uid for uid, row in self._rows.items() if row.modseq > modseq]
        vanished = sorted(uid for at, uid in self._vanished if at > modseq)
        return Changes(self._modseq, self._chosen(changed), vanished)

    async def take_recent(self) -> int:
        recent = int(await asked(self._box.getRecentCount))
        uids = list(self._rows)
        return uids[-recent] if 0 < recent <= len(uids) else (uids or [0])[-1] + 1

    # -- octets -----------------------------------------------------------------

    async def rendered(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[bytes, ...] | None]:
        found: list[tuple[bytes, ...] | None] = []
        texts: dict[int, bytes] = {}
        digest = digests()
        if not PREVIEWS.isdisjoint(columns):
            texts = await previews(self, uids)
        for uid in uids:
            if uid not in self._rows:
                found.append(None)
                continue
            known = self._columns.get(uid)
            if known is None:
                known = index(cut(await self._file(uid), 0, None))
                known[Column.THREADING] = digest(known[Column.FIELDS])
                if len(self._columns) >= MOST_INDEXED:
                    self._columns.pop(next(iter(self._columns)))
                self._columns[uid] = known
            text = texts.get(uid, b"")
            found.append(
                tuple(
                    text if column in PREVIEWS else known.get(column, b"")
                    for column in columns
                )
            )
        return found

    async def octets(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return [
            cut(await self._file(each.uid), each.start, each.count)
            if each.uid in self._rows
            else None
            for each in ranges
        ]

    async def _octets_of(self, uid: int) -> int:
        file = await self._file(uid)
        return file.seek(0, 2)

    async def _file(self, uid: int) -> IO[bytes]:
        """The message; the one that was used longest ago is let go for it."""
        file = self._files.pop(uid, None)
        if file is None:
            file, _ = with_crlf(await _whole(self._messages[uid]))
            if len(self._files) >= MOST_FILES:
                self._forget(next(iter(self._files)))
        self._files[uid] = file
        return file

    def _forget(self, uid: int) -> None:
        file = self._files.pop(uid, None)
        if file is not None:
            file.close()

    # -- changing ---------------------------------------------------------------

    async def store_flags(
        self,
        uids: Sequence[int],
        change: FlagChange,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        self._need_writable()
        await self._look()
        here = [uid for uid in uids if uid in self._rows]
        modified = []
        if unchanged_since is not None:
            modified = [u for u in here if self._rows[u].modseq > unchanged_since]
        told = [uid for uid in here if uid not in set(modified)]
        await self._store(told, change.flags - {RECENT}, MODES[change.action])
        await self._look()
        self._publish()
        return Stored(self._chosen(told), modified, self._modseq)

    async def _store(self, uids: Sequence[int], flags: Flags, mode: int) -> None:
        if uids:
            await asked(self._box.store, _message_set(uids), sorted(flags), mode, True)

    async def copy(self, uids: Sequence[int], target: Path) -> Copied:
        """No UIDs are known of the copies."""
        into = await self._tree.target(target)
        here = [uid for uid in uids if uid in self._rows]
        for uid in here:
            row = self._rows[uid]
            octets = cut(await self._file(uid), 0, None)
            await self._tree.add(into, BytesIO(octets), row.flags, row.internal_date)
        return Copied(int(await asked(into.getUIDValidity)), here, [])

    async def move(self, uids: Sequence[int], target: Path) -> Copied:
        raise NotPermitted("Messages of this account can be copied, not moved")

    async def replace(self, uid: int, target: Path, message: object) -> Appended:
        raise NotPermitted("Messages of this account cannot be replaced")

    async def expunge(self, uids: Sequence[int] | None = None) -> Expunged:
        """With `uids`, other messages that are \\Deleted are not so for the moment."""
        self._need_writable()
        await self._look()
        deleted = {uid for uid, row in self._rows.items() if DELETED in row.flags}
        spared: list[int] = []
        flag = frozenset({DELETED})
        if uids is not None:
            spared = sorted(deleted.difference(uids))
            await self._store(spared, flag, -1)
            missing = [u for u in uids if u in self._rows and u not in deleted]
            await self._store(missing, flag, 1)
        before = set(self._rows)
        try:
            await asked(self._box.expunge)
        finally:
            await self._store(spared, flag, 1)
        await self._look()
        self._publish()
        return Expunged(sorted(before.difference(self._rows)), self._modseq)

    def _need_writable(self) -> None:
        if self.read_only:
            raise MailboxReadOnly()

    # -- telling ----------------------------------------------------------------

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        return self._watchers.add(changed)

    def _publish(self) -> None:
        self._watchers.tell(self._modseq)

    def modeChanged(self, writeable: bool) -> None:
        self.read_only = self.read_only or not writeable

    def flagsChanged(self, newFlags: object) -> None:
        self._publish()

    def newMessages(self, exists: int | None, recent: int | None) -> None:
        self._publish()

    async def close(self) -> None:
        self._watchers.clear()
        for uid in list(self._files):
            self._forget(uid)
        self._box.removeListener(self)
        if ICloseableMailboxIMAP.providedBy(self._box):
            await asked(self._box.close)


async def _whole(message: Any) -> Any:
    """A file of the message; one that gives parts only is put together from them."""
    if IMessageIMAPFile.providedBy(message):
        return await asked(message.open)

    async def waiting(steps: Iterable[Any]) -> None:
        for step in steps:
            if isinstance(step, Deferred):
                await step

    buffer = SpooledTemporaryFile(MOST_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    producer = MessageProducer(
        message, buffer, lambda steps: Deferred.fromCoroutine(waiting(steps))
    )
    await producer.beginProducing(None)
    buffer.seek(0)
    return buffer


def _message_set(uids: Iterable[int]) -> MessageSet:
    made = MessageSet()
    for uid in uids:
        made.add(uid)
    return made


def _flags(flags: Iterable[Any]) -> Flags:
    return frozenset(canonical(str(flag)) for flag in flags) - {RECENT}


def _date(date: str | bytes | None) -> int:
    """Seconds since 1970; 0 for a date that nobody can read."""
    try:
        return seconds_of(date) or 0
    except MailboxException:
        return 0
