"""One session's hold on a mailbox."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import evolve
from twisted.internet.task import deferLater
from zope.interface import implementer

from ...errors import MailboxReadOnly, NoSuchMailbox
from ...flags import DELETED
from ...interfaces import IMailbox
from ...mailbox.model import (
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
from ...mime.index import index
from . import change, content
from .account import AccountFiles
from .live import Live

if TYPE_CHECKING:
    from .mailboxes import MaildirMailboxes

SLICE_S = 0.005  # of rendering, before the reactor gets a turn
POLL_S = 1.0


@implementer(IMailbox)
class MaildirMailbox:
    """See IMailbox.  Once the mailbox was deleted every method raises NoSuchMailbox."""

    def __init__(
        self, tree: MaildirMailboxes, live: Live, path: Path, read_only: bool
    ) -> None:
        self.path, self.object_id = path, live.row.object_id
        self.uid_validity, self.read_only = live.row.uid_validity, read_only
        self._tree, self._live = tree, live
        self._ends: list[Callable[[], None]] = []
        self._closed = False
        live.handles += 1

    @property
    def _files(self) -> AccountFiles:
        return self._tree.files

    def _readable(self) -> Live:
        if self._live.gone:
            raise NoSuchMailbox()
        return self._live

    def _writable(self) -> Live:
        if self.read_only:
            raise MailboxReadOnly()
        return self._readable()

    async def _look(self) -> Live:
        """The live mailbox after a look at the folder."""
        live = self._readable()

        async def look() -> None:
            await self._files.look(live)

        if not self._files.unchanged(live):
            await self._files.turn(look)
        return live

    # -- reading --------------------------------------------------------------

    async def status(self) -> MailboxStatus:
        return (await self._look()).status()

    async def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        return self._readable().rows(uids)

    async def changes(self, modseq: int) -> Changes:
        live = await self._look()
        vanished = live.vanished_after(modseq)
        if vanished is None:
            files, row_id = self._files, live.row.id

            async def ask() -> list[int]:
                return await files.thread(files.state.vanished, row_id, modseq)

            vanished = await files.turn(ask)
        return live.changes(modseq, vanished)

    async def take_recent(self) -> int:
        live = self._readable()
        first = live.row.recent_from
        if self.read_only or first >= live.row.uid_next:
            return first
        files, uid_next = self._files, live.row.uid_next

        def move() -> None:
            with files.state.transaction():
                files.state.set_recent_from(live.row.id, uid_next)

        async def take() -> int:
            taken = live.row.recent_from
            live.row = evolve(live.row, recent_from=uid_next)
            await files.thread(move)
            return taken

        return await files.turn(take)

    async def rendered(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[bytes, ...] | None]:
        live, files = self._readable(), self._files
        object_id = live.row.object_id
        found = await files.cache_turn(files.cache.get, object_id, uids, columns)
        missing = [
            uid for uid in uids if uid not in found and live.index(uid) is not None
        ]
        if missing:
            fresh = await self._render(live, missing)
            for uid, made in fresh:
                found[uid] = tuple(made[column] for column in columns)
            await files.cache_turn(files.cache.put, object_id, fresh)
        return [found.get(uid) if live.index(uid) is not None else None for uid in uids]

    async def _render(
        self, live: Live, uids: Sequence[int]
    ) -> list[tuple[int, dict[Column, bytes]]]:
        """Read in a thread, parse on the reactor in slices."""
        made = []
        reactor = self._files.reactor
        began = reactor.seconds()
        for start in range(0, len(uids), 64):
            part = uids[start : start + 64]
            for uid, octets in zip(part, await self._whole(live, part), strict=True):
                if octets is None:
                    continue
                made.append((uid, index(octets)))
                if isinstance(octets, mmap.mmap):
                    octets.close()
                if reactor.seconds() - began > SLICE_S:
                    await deferLater(reactor, 0)
                    began = reactor.seconds()
        return made

    async def _whole(
        self, live: Live, uids: Sequence[int]
    ) -> list[bytes | mmap.mmap | None]:
        def read() -> list[bytes | mmap.mmap | None]:
            return [content.whole(path, lf) for path, lf in places]

        places = [self._place(live, uid) for uid in uids]
        found: list[bytes | mmap.mmap | None] = await self._tree.defer(read)
        if None in found:
            await self._files.turn(lambda: self._files.look(live, sure=True))
            places = [self._place(live, uid) for uid in uids]
            found = await self._tree.defer(read)
        return found

    async def octets(self, ranges: Sequence[Range]) -> list[bytes | None]:
        live = self._readable()
        found = await self._read(live, ranges)
        lost = [
            at
            for at, octets in enumerate(found)
            if octets is None and live.index(ranges[at].uid) is not None
        ]
        if lost:  # renamed by somebody else meanwhile: look, and try once more
            await self._files.turn(lambda: self._files.look(live, sure=True))
            again = await self._read(live, [ranges[at] for at in lost])
            for at, octets in zip(lost, again, strict=True):
                found[at] = octets
        return found

    async def _read(self, live: Live, ranges: Sequence[Range]) -> list[bytes | None]:
        wanted = []
        for one in ranges:
            path, lf = self._place(live, one.uid)
            wanted.append(content.Wanted(path, lf, one.start, one.count))
        found: list[bytes | None] = await self._tree.defer(content.read, wanted)
        return found

    @staticmethod
    def _place(live: Live, uid: int) -> tuple[str, bool]:
        """(path, has bare LF) of a message; a path that is nowhere for one gone."""
        at = live.index(uid)
        if at is None:
            return f"{live.folder}/cur/", False
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
        live = self._writable()
        return await self._files.turn(
            lambda: change.store_flags(
                self._files, live, uids, change_, unchanged_since
            )
        )

    async def copy(self, uids: Sequence[int], target: Path) -> Copied:
        live = self._readable()
        return await self._files.turn(
            lambda: change.copy(self._tree, live, uids, target)
        )

    async def move(self, uids: Sequence[int], target: Path) -> Copied:
        live = self._writable()
        return await self._files.turn(
            lambda: change.move(self._tree, live, uids, target)
        )

    async def expunge(self, uids: Sequence[int] | None = None) -> Expunged:
        live = self._writable()

        async def remove() -> Expunged:
            chosen = uids
            if chosen is None:
                pairs = zip(live.uids, live.flags, strict=True)
                chosen = [uid for uid, flags in pairs if DELETED in flags]
            return await change.expunge(self._files, live, chosen)

        return await self._files.turn(remove)

    # -- watching -------------------------------------------------------------

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        end = self._live.watch(changed)
        self._ends.append(end)
        self._files.poll(self._live, POLL_S)
        return end

    async def close(self) -> None:
        """Also ends what `watch` began."""
        if not self._closed:
            self._closed = True
            self._live.handles -= 1
        for end in self._ends:
            end()
        self._ends.clear()
