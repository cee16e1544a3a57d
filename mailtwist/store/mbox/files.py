"""One account's mbox files: what `AccountFiles` does for a Maildir.

Work on files runs in a thread that takes the locks, works and releases them; if another
program holds one, the wait for the next attempt is the reactor's, and nobody's thread.
Work finds a file changed since it was last looked at: it is looked at again, then the
work is tried again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.task import deferLater

from ...config.mbox import Mbox
from ...errors import MailboxReadOnly, NoSuchMailbox, SystemBusy
from ...mailbox.model import INBOX, Path
from ...mime.mbox import header_of, is_from_line
from ...mime.mbox_marks import Base, marks_in
from ..maildir import uidlist
from ..maildir.account import AccountFiles
from ..maildir.live import Delta, Live
from ..maildir.rested import Looked
from ..state import MailboxRow
from . import kept_layout
from .intake import MboxLive, intake, mine, stamp_of
from .journal import journal_of, repair
from .lock import PAUSES_S, Lock, LockFiles, attempt
from .place import MboxPlace
from .place import stamp_of as stamp_of_file

FIRST_OCTETS = 65_536  # of a file, read for its UIDVALIDITY
MOST_TRIES = 50  # while others change the file all the time

Result = TypeVar("Result")
Locks = dict[str, Lock]  # by path of the file


class _Not:
    """Why there is no lock: another program has one, or the file is not there."""

    def __init__(self, *, there: bool) -> None:
        self.there = there


_HELD, _MISSING = _Not(there=True), _Not(there=False)


class MboxFiles(AccountFiles):
    """See AccountFiles."""

    def __init__(
        self, *arguments: Any, config: Mbox, lock_files: LockFiles, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        account = self.account
        self.config, self._lock_files = config, lock_files
        self.place = self._place = MboxPlace(
            account.home, account.mailbox_path, account.folders_path, lock_files
        )

    def kind_of(self, folder: str) -> type[Live]:
        return MboxLive

    # -- locks ----------------------------------------------------------------

    async def locked(
        self, paths: dict[str, bool], work: Callable[..., Result], *arguments: Any
    ) -> Result:
        """`work(locks, ...)` in a thread that holds the locks of these files, exclusive
        where true.  Within a turn.

        Raises SystemBusy if another program has one for too long, FileNotFoundError."""
        until = self.reactor.seconds() + self.config.lock_timeout_s
        for attempts in range(1_000_000):
            result: Result | _Not
            result = await self.thread(self._attempted, paths, work, arguments)
            if not isinstance(result, _Not):
                return result
            if not result.there:
                raise FileNotFoundError
            if self.reactor.seconds() > until:
                break
            pause_s = PAUSES_S[min(attempts, len(PAUSES_S) - 1)]
            await deferLater(self.reactor, pause_s)
        raise SystemBusy("Mailbox is locked by another program")

    def _attempted(
        self,
        paths: dict[str, bool],
        work: Callable[..., Result],
        arguments: Sequence[Any],
    ) -> Result | _Not:
        locks: Locks = {}
        try:
            for path in sorted(paths):  # all programs of ours in one order
                try:
                    lock = self._attempt(path, paths[path])
                except FileNotFoundError:
                    return _MISSING
                if lock is None:
                    return _HELD
                locks[path] = lock
            return work(locks, *arguments)
        finally:
            for lock in locks.values():
                lock.release()

    def _attempt(self, path: str, writes: bool) -> Lock | None:
        journal = journal_of(self.account.home, path)
        unfinished = os.path.exists(journal)
        try:
            lock = attempt(path, writes=writes or unfinished, files=self._lock_files)
        except OSError as fault:
            if writes and fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise MailboxReadOnly() from fault
            raise
        if lock is None:
            return None
        try:
            if lock.writes:
                repair(journal, lock.descriptor, lock.touch)
            elif os.path.exists(journal):  # its writer died meanwhile
                lock.release()
                return None
        except BaseException:
            lock.release()
            raise
        return lock

    # -- looking --------------------------------------------------------------

    def unchanged(self, live: Looked) -> bool:
        """True if the file looks as at the last look: one stat call."""
        try:
            same = stamp_of_file(live.folder) == live.stamp
        except FileNotFoundError:
            return False
        return same and not self._in_doubt(live)

    async def look(self, live: Live, *, sure: bool = False) -> None:
        """See AccountFiles.look; `sure` reads the whole file."""
        live = mine(live)
        if live.gone:
            raise NoSuchMailbox()
        if not sure and self.unchanged(live):
            return
        try:
            delta, layout = await self.locked(
                {live.folder: False}, self._take_in, live, sure
            )
        except FileNotFoundError as fault:
            await self.thread(self.counting.doubted)
            raise self._lost(live) from fault
        self.applied(live, delta)
        live.layout = layout

    def _take_in(self, locks: Locks, live: MboxLive, sure: bool) -> Any:
        """In a thread; the reactor leaves `live` alone meanwhile (it is our turn)."""
        if sure:
            live.layout = type(live.layout)()
        with self.transaction(live):
            beside = self.place.beside(live.folder)
            delta, layout = intake(live, locks[live.folder].descriptor, beside)
            self.record(live, delta)
        return delta, layout

    def _lost(self, live: Live) -> NoSuchMailbox:
        self.vanish(live)
        return NoSuchMailbox()

    async def changing(
        self,
        lives: dict[MboxLive, bool],
        work: Callable[..., Result | None],
        *more: Any,
    ) -> Result:
        """`work(locks, ...)` as `locked`, on files that are as they were at the last
        look: if one is not, all are looked at again.  Within a turn."""
        paths: dict[str, bool] = {}
        for live, writes in lives.items():
            paths[live.folder] = writes or paths.get(live.folder, False)

        def as_looked_at(locks: Locks) -> Result | None:
            for live in lives:
                if stamp_of(locks[live.folder].descriptor) != live.stamp:
                    return None
            return work(locks, *more)

        for _ in range(MOST_TRIES):
            for live in lives:
                await self.look(live)
            try:
                result = await self.locked(paths, as_looked_at)
            except FileNotFoundError:
                continue  # the next look says which
            if result is not None:
                return result
        raise SystemBusy("Others change the mailbox all the time")

    def applied(self, live: Live, delta: Delta, *, ours: bool = True) -> None:
        super().applied(live, delta, ours=ours)
        if live.stamp is not None:
            self._place.looked_at[live.folder] = live.stamp

    def done(self, live: MboxLive, delta: Delta, layout: Any) -> None:
        """A rewrite becomes visible to every session."""
        self.applied(live, delta)
        live.layout = layout

    # -- the state ------------------------------------------------------------

    def _load(self, path: Path) -> Live:
        live = super()._load(path)
        kept_layout.fill(self.account.home, mine(live))
        return live

    async def rest(self) -> None:
        """See AccountFiles.rest; layouts of large files are kept."""

        def keep() -> None:
            for live in self.live.values():
                if isinstance(live, MboxLive):
                    kept_layout.save(self.account.home, live)

        await self.turn(lambda: self.plain_thread(keep))
        await super().rest()

    def adopt(self, path: Path, folder: str) -> MailboxRow:
        """A row for a file that has none: UIDs come from our list beside the state, or
        from the file; see `intake`."""
        state = self.state
        kept, base = uidlist.read(self.place.beside(folder)), _base(folder)
        if kept is None and base is None:
            return state.add_mailbox(path)
        # Above every MODSEQ that was given out before the state was lost.
        modseq = time.time_ns() // 1000
        object_id = ""
        if kept is not None:
            validity, uid_next = kept.uid_validity, kept.uid_next
            if not state.has_object(kept.object_id):
                object_id = kept.object_id
            if base is not None and base.uid_validity == validity:
                uid_next = max(uid_next, base.last_uid + 1)
        elif base is not None:
            validity, uid_next = base.uid_validity, base.last_uid + 1
        row = state.add_mailbox(
            path,
            object_id=object_id,
            uid_validity=validity,
            uid_next=uid_next,
            highest_modseq=modseq,
            vanished_from=modseq,
        )
        if kept is not None:
            state.add_keywords(row.id, kept.keywords.items())
        return row

    async def opened(self, path: Path) -> Live:
        """See AccountFiles.opened; a lost INBOX is an empty one."""
        try:
            return await super().opened(path)
        except NoSuchMailbox:
            if path != INBOX:
                raise
            return await super().opened(path)

    async def opened_mbox(self, path: Path) -> MboxLive:
        """As `opened`."""
        return mine(await self.opened(path))

    def journal(self, folder: str) -> str:
        return journal_of(self.account.home, folder)

    def base(self, live: Live, row: MailboxRow) -> Base:
        """The figures that go into the file."""
        names = live.names
        words = [names.letters[letter] for letter in sorted(names.letters)]
        return Base(row.uid_validity, row.uid_next - 1, tuple(words))


def _base(path: str) -> Base | None:
    """The figures in the first message of a file; read without a lock."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        line = file.readline(FIRST_OCTETS)
        if is_from_line(line):
            return marks_in(header_of(file.read(FIRST_OCTETS))).base
    return None
