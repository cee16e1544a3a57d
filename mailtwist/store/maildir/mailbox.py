"""One session's hold on a mailbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...errors import MailboxReadOnly, NoSuchMailbox
from ...flags import Flags
from ...mailbox.interfaces import IIndexedMailbox, IReadByMany, IUpload
from ...mailbox.model import (
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
    TextHits,
    TextPlace,
)
from . import change, content, durable, readers, render, transfer
from .account import AccountFiles
from .ahead import Ahead
from .indexing import text_name
from .live import Live

if TYPE_CHECKING:
    from .mailboxes import MaildirMailboxes

log = Logger()


@implementer(IIndexedMailbox, IReadByMany)
class MaildirMailbox:
    """See IMailbox.  Once the mailbox was deleted every method raises NoSuchMailbox."""

    def __init__(
        self, tree: MaildirMailboxes, live: Live, path: Path, read_only: bool
    ) -> None:
        self.path, self.object_id = path, live.row.object_id
        self.uid_validity, self.read_only = live.row.uid_validity, read_only
        self.tree, self._live = tree, live
        self._ends: list[Callable[[], None]] = []
        self._closed = False
        self._ahead = Ahead()
        live.handles += 1

    @property
    def files(self) -> AccountFiles:
        return self.tree.files

    def readable(self) -> Live:
        """The live mailbox; raises NoSuchMailbox if it was deleted."""
        if self._live.gone:
            raise NoSuchMailbox()
        return self._live

    def writable(self) -> Live:
        """As `readable`; raises MailboxReadOnly too."""
        if self.read_only:
            raise MailboxReadOnly()
        return self.readable()

    async def _look(self) -> Live:
        """The live mailbox after a look at the folder."""
        live = self.readable()
        if not self.files.unchanged(live):
            await self.files.turn(lambda: self.files.look(live))
        return live

    async def look_closely(self, live: Live) -> None:
        """List the folder whatever its time stamps say."""
        await self.files.turn(lambda: self.files.look(live, sure=True))

    def defer(self, work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Run work that only reads message files in a thread, outside of turns."""
        done = self.tree.defer(work, *arguments)
        return done.addErrback(_storage_fault, self.path)

    # -- reading --------------------------------------------------------------

    async def where(self) -> Path:
        return self.readable().path

    async def status(self) -> MailboxStatus:
        return (await self._look()).status()

    async def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        return self.readable().rows(uids)

    async def changes(self, modseq: int) -> Changes:
        live = await self._look()
        remembered = live.vanished_after(modseq)
        if remembered is not None:
            return live.changes(modseq, remembered, True)
        files, row_id = self.files, live.row.id

        async def ask() -> tuple[list[int], bool]:
            return await files.thread(files.state.gone_since, row_id, modseq)

        vanished, complete = await files.turn(ask)
        return live.changes(modseq, vanished, complete)

    async def take_recent(self) -> int:
        live = self.readable()
        first = live.row.recent_from
        if self.read_only or first >= live.row.uid_next:
            return first
        files = self.files

        def move(uid_next: int) -> int:
            with files.transaction(live):
                row = files.state.mailbox_by_id(live.row.id)
                files.state.set_recent_from(live.row.id, uid_next)
            return live.row.recent_from if row is None else row.recent_from

        async def take() -> int:
            uid_next = live.row.uid_next
            taken = await files.thread(move, uid_next)
            live.row = evolve(live.row, recent_from=uid_next)
            return taken

        return await files.turn(take)

    async def rendered(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[bytes, ...] | None]:
        return await render.rendered(self, uids, columns)

    async def octets(self, ranges: Sequence[Range]) -> list[bytes | None]:
        live = self.readable()
        if len(ranges) == 1:
            octets = await self._one(live, ranges[0])
            if octets is not None:
                return [octets]
        found = await self._read(live, ranges)
        lost = [
            at
            for at, octets in enumerate(found)
            if octets is None and live.index(ranges[at].uid) is not None
        ]
        if lost:  # renamed by somebody else meanwhile: look, and try once more
            await self.look_closely(live)
            again = await self._read(live, [ranges[at] for at in lost])
            for at, octets in zip(lost, again, strict=True):
                found[at] = octets
        return found

    async def text_hits(self, needle: str, place: TextPlace) -> TextHits | None:
        if not self.tree.indexer.asked:
            return None
        files = self.files
        return await files.text_turn(
            None, files.text.hits, text_name(self), needle, place
        )

    async def text_extracts(self, uids: Sequence[int]) -> list[str | None]:
        if not self.tree.indexer.asked:
            return [None] * len(uids)
        files = self.files
        return await files.text_turn(None, files.text.extracts, text_name(self), uids)

    async def kept_threads(self, algorithm: str, of: bytes) -> bytes | None:
        files, cache = self.files, self.files.cache
        name = self.readable().row.object_id
        return await files.cache_turn(cache.threads, name, algorithm, of)

    async def keep_threads(self, algorithm: str, of: bytes, threads: bytes) -> None:
        files, cache = self.files, self.files.cache
        name = self.readable().row.object_id
        await files.cache_turn(cache.put_threads, name, algorithm, of, threads)

    async def _one(self, live: Live, one: Range) -> bytes | None:
        """The octets if they were read ahead, or now together with what may be next;
        None if there is nothing to gain from that."""
        at = live.index(one.uid)
        if at is None or one.start:
            return None
        octets = self._ahead.take(one.uid)
        if octets is None:
            uids = self._ahead.wanted(live, at)
            if len(uids) == 1:
                return None
            found = await self._read(live, [Range(uid) for uid in uids])
            octets = found[0]
            more = zip(uids[1:], found[1:], strict=True)
            self._ahead.keep({uid: read for uid, read in more if read is not None})
        return octets if octets is None or one.count is None else octets[: one.count]

    def whole(self, live: Live, uids: Sequence[int]) -> Deferred[list[Any]]:
        """Whole messages as content.whole gives them, in a thread."""
        return self.defer(content.whole_of, [self.place(live, uid) for uid in uids])

    async def _read(self, live: Live, ranges: Sequence[Range]) -> list[bytes | None]:
        wanted = []
        for one in ranges:
            path, lf = self.place(live, one.uid)
            wanted.append(content.Wanted(path, lf, one.start, one.count))
        found: list[bytes | None] = await self.defer(
            content.read, wanted, self.tree.places
        )
        return found

    @staticmethod
    def place(live: Live, uid: int) -> tuple[str, bool]:
        """(path, has bare LF) of a message; a path that is nowhere for one gone."""
        at = live.index(uid)
        if at is None:
            return f"{live.folder}/cur/.", False
        lf = live.octets[at] != live.file_octets[at]
        return f"{live.folder}/cur/{live.filename(at)}", lf

    # -- changing -------------------------------------------------------------

    async def store_flags(
        self,
        uids: Sequence[int],
        change_: FlagChange,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        live = self.writable()
        return await self.files.turn(
            lambda: change.store_flags(self.files, live, uids, change_, unchanged_since)
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
        live, tree = self.writable(), self.tree
        taken: set[int] = set()

        async def expunge() -> Expunged:
            gone = uids
            if tree.keeping is not None:
                gone = await tree.keeping.take(tree, live, uids, taken)
            return await change.expunge(self.files, live, gone)

        return await self.files.turn(expunge)

    async def replace(
        self, uid: int, target: Path, message: tuple[IUpload, Flags, int | None]
    ) -> Appended:
        live = self.writable()
        return await self.tree.taken(
            [message],
            lambda uploads: transfer.replace(self.tree, live, uid, target, uploads[0]),
        )

    # -- readers --------------------------------------------------------------

    async def seen_by(self, reader: str) -> list[int]:
        live = self.readable()
        return await self.files.turn(lambda: readers.seen_by(self.files, live, reader))

    async def see(
        self,
        reader: str,
        uids: Sequence[int],
        seen: bool,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        live = self.readable()
        return await self.files.turn(
            lambda: readers.see(self.files, live, reader, uids, seen, unchanged_since)
        )

    # -- watching -------------------------------------------------------------

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        live = self._live
        self._ahead.clear()  # IDLE may last
        end_watching = live.watch(changed)

        def end() -> None:
            end_watching()
            self.files.watches.end(live)

        self._ends.append(end)
        self.files.watches.begin(live)
        return end

    async def close(self) -> None:
        """Also ends what `watch` began."""
        if not self._closed:
            self._closed = True
            self._live.handles -= 1
        for end in self._ends:
            end()
        self._ends.clear()
        self._ahead.clear()


def _storage_fault(failure: Any, path: Path) -> Any:
    fault = failure.value
    if isinstance(fault, OSError):
        log.failure("reading messages of {path}", failure=failure, path=path)
        raise durable.fault_of(fault) from fault
    return failure
