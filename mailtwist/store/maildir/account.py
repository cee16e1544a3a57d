"""One account's files: its lock, its threads' work, its live mailboxes.

Everything that reads or writes the state runs one at a time for an account: in *turns*.
Work that was begun is finished even if nobody waits for it any longer.  Other processes
may use the same account: BEGIN IMMEDIATE keeps them apart, and a transaction that finds
the state newer than our live mailbox gives up as `Behind`, catches up and runs again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...directory.model import Account
from ...errors import MailError, NoSuchMailbox, SystemBusy
from ...mailbox.model import Path
from ...mailbox.special_uses import Uses
from ...shielded import shielded
from ..cache import Cache
from ..sqlite import damaged, fault_of
from ..state import MailboxRow, State
from ..text_index import TextIndex
from . import adopting, columns, durable, first_use, scan, scripts, uidlist
from .account_watch import AccountWatch
from .coming import Coming
from .counting import Counting
from .inotify import Inotify
from .keywords import FlagNames
from .ledger import Crossing
from .lister import Lister
from .live import Delta, Live, Stamp
from .names import UniqueNames
from .place import MaildirPlace, Place
from .rested import Looked
from .watch import Watches

log = Logger()

DOUBT_S = 1.2  # after a change within the stamp's tick the folder is listed once more
CATCH_UP_S = 10.0  # tries to be faster than other processes, as SQLite waits for a lock

Result = TypeVar("Result")


class Behind(Exception):
    """Another process changed the mailbox; `delta` brings it up to date."""

    def __init__(self, live: Live, delta: Delta) -> None:
        super().__init__(live.folder)
        self.live, self.delta = live, delta


class Gone(Exception):
    """The mailbox was deleted or renamed by another process."""

    def __init__(self, live: Live) -> None:
        super().__init__(live.folder)
        self.live = live


class AccountFiles:
    """The Maildir, state and cache of one account.

    A kind of mailbox that is no folder of files overrides how it is looked at.

    `defer(work, ...)` of the store runs work in a thread; `used(self)` is called when a
    turn ends, `changed(home, path)` when a mailbox was loaded or messages came or went.
    """

    def __init__(
        self,
        account: Account,
        defer: Callable[..., Deferred[Any]],
        reactor: Any,
        names: UniqueNames,
        *,
        poll_s: float,
        inotify: Callable[[], Inotify | None],
        used: Callable[[AccountFiles], None],
        changed: Callable[[str, Path], None],
        special_uses: Uses,
        thresholds: Sequence[int] = (),
        crossed: Callable[[Account, list[Crossing]], None] = lambda *_: None,
        coming: Coming | None = None,
        hint: Callable[[str, Path | None], None] = lambda *_: None,
    ) -> None:
        self.account, self._defer, self.reactor = account, defer, reactor
        self.names, self._used, self._changed = names, used, changed
        self._special_uses = special_uses
        self.maildir = account.mailbox_path.rstrip("/")
        self.place: Place = MaildirPlace(self.maildir)
        self.lister = Lister(self)
        self.state = State(os.path.join(account.home, "state.sqlite"))
        self.cache = Cache(os.path.join(account.home, "cache.sqlite"))
        self.text = TextIndex(os.path.join(account.home, "search.sqlite"))
        self.live: dict[Path, Live] = {}
        self.counting = Counting(
            lambda: self.account, self.state, lambda: self.place, names, thresholds
        )
        self._crossed, self.coming = crossed, coming or Coming()
        self._hint = hint
        self.watches = Watches(
            reactor,
            poll_s,
            self.unchanged,
            self.refresh,
            doubt_s=DOUBT_S,
            inotify=inotify,
            paths=lambda folder: self.place.watched(self.place.name_of(folder)),
        )
        self.changes = AccountWatch(
            self, poll_s=poll_s, doubt_s=DOUBT_S, inotify=inotify
        )
        self.busy = 0
        self._recovered = False
        self._lock, self._cache_lock = DeferredLock(), DeferredLock()
        self._text_lock = DeferredLock()

    # -- turns ----------------------------------------------------------------

    def turn(self, work: Callable[[], Awaitable[Result]]) -> Deferred[Result]:
        """Run `work` alone on this account; it goes on if the wait is cancelled.

        It runs again from its start when it finds that it is behind another process."""
        return shielded(Deferred.fromCoroutine(self._turn(self._lock, work)))

    def cache_turn(
        self, work: Callable[..., Result], *arguments: Any
    ) -> Deferred[Result]:
        """Run `work` in a thread, alone on the cache."""

        async def run() -> Result:
            result: Result = await self._defer(work, *arguments)
            return result

        return shielded(Deferred.fromCoroutine(self._turn(self._cache_lock, run)))

    def text_turn(
        self,
        defer: Callable[..., Deferred[Any]] | None,
        work: Callable[..., Result],
        *arguments: Any,
    ) -> Deferred[Result]:
        """As cache_turn, on the text index; in the threads of `defer` if given."""

        async def run() -> Result:
            result: Result = await (defer or self._defer)(work, *arguments)
            return result

        return shielded(Deferred.fromCoroutine(self._turn(self._text_lock, run)))

    async def _turn(
        self, lock: DeferredLock, work: Callable[[], Awaitable[Result]]
    ) -> Result:
        self.busy += 1
        try:
            await lock.acquire()
            try:
                return await self._caught_up(work)
            finally:
                lock.release()
        finally:
            self.busy -= 1
            self._used(self)

    async def _caught_up(self, work: Callable[[], Awaitable[Result]]) -> Result:
        until = self.reactor.seconds() + CATCH_UP_S
        while True:
            try:
                return await work()
            except Behind as behind:
                self.caught_up(behind, until)
            except Gone as gone:
                self.vanish(gone.live)
                raise NoSuchMailbox() from gone

    def caught_up(self, behind: Behind, until: float) -> None:
        """Take in what another process did; raises SystemBusy after `until`."""
        self.applied(behind.live, behind.delta, ours=False)
        if self.reactor.seconds() > until:
            raise SystemBusy()

    async def thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Run `work` in a thread, within a turn; a full disk is told as such.

        An account that was never used gets its mailboxes before."""
        if self._recovered:
            return await self.plain_thread(work, *arguments)
        return await self.plain_thread(self._after_recovery, work, *arguments)

    async def plain_thread(
        self, work: Callable[..., Result], *arguments: Any
    ) -> Result:
        """As `thread`, for work that leaves the state alone: nothing is made before."""
        try:
            result: Result = await self._defer(work, *arguments)
        except OSError as fault:
            log.failure("storage of {name}", name=self.account.name)
            raise durable.fault_of(fault) from fault
        except sqlite3.Error as fault:
            log.failure("state of {name}", name=self.account.name)
            if damaged(fault):
                await self.salvage()
            self.state.close()
            raise fault_of(fault) from fault
        crossings = self.counting.crossings
        if crossings:
            self.counting.crossings = []
            self._crossed(self.account, crossings)
        return result

    async def salvage(self) -> None:
        """Within a turn: the state is damaged; UIDs come from the uidlists then."""
        for live in [*self.live.values()]:
            self.vanish(live)
        self._recovered = False
        await self._defer(self.state.discard)

    async def aside(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Run `work`, which only looks at folders, in a thread outside of turns."""
        result: Result = await self._defer(work, *arguments)
        return result

    @contextmanager
    def transaction(self, *lives: Live) -> Iterator[None]:
        """In a thread: a state transaction in which these are up to date."""
        self.counting.start()
        try:
            with self.state.transaction():
                for live in lives:
                    self._compare(live)
                yield
                self.counting.reserve()
            self.counting.land()
        finally:
            self.counting.drop()

    def _compare(self, live: Live) -> None:
        row, old = self.state.mailbox_by_id(live.row.id), live.row
        if row is None or row.path != live.path:
            raise Gone(live)
        if (row.uid_next, row.highest_modseq) == (old.uid_next, old.highest_modseq):
            return
        raise Behind(live, self._since(live, row))

    def _since(self, live: Live, row: MailboxRow) -> Delta:
        """What the state, which has this row now, learned after `live` did."""
        old = live.row
        messages = self.state.messages_after(row.id, old.highest_modseq)
        known = set(live.uids)
        vanished, complete = self.state.gone_since(row.id, old.highest_modseq)
        if not complete:
            vanished = self.state.missing(row.id, known)
        letters = self.state.keywords(row.id)
        return Delta(
            row,
            added=[m for m in messages if m.uid >= old.uid_next],
            changed=[m for m in messages if m.uid in known],
            vanished=vanished,
            letters=None if letters == live.names.letters else letters,
        )

    def _after_recovery(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """In a thread, before anybody looks at the folders for the first time."""
        durable.make_directories([self.account.home])  # where the state is
        self.place.prepare()
        with self.state.transaction():
            self._recover()
            if self.state.is_new:
                first_use.note(self, self._special_uses)
        with self.state.transaction():
            self._finish_renames()
        scripts.publish(self.account.home, self.state)
        self._recovered = True
        return work(*arguments)

    def _recover(self) -> None:
        """Finish what a crash interrupted."""
        self._finish_renames()
        self.place.clean()

    def _finish_renames(self) -> None:
        renames = self.state.renames()
        for old, path in renames:
            self.place.rename(old, path)
        if renames:
            self.place.sync()
            self.state.forget_renames()

    # -- rest -----------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """True if databases are open."""
        return self.state.is_open or self.cache.is_open or self.text.is_open

    async def rest(self) -> None:
        """Close the databases and forget mailboxes that no session has open."""

        def close() -> None:
            if self.state.is_open:
                columns.save(self)
            self.state.close()
            self.cache.close()
            self.text.close()

        async def in_turn() -> None:
            self.lister.forget()
            await self._cache_lock.acquire()
            await self._text_lock.acquire()
            try:
                await self.plain_thread(close)
            finally:
                self._text_lock.release()
                self._cache_lock.release()
            self.live = {path: live for path, live in self.live.items() if live.handles}

        await self.turn(in_turn)

    # -- live mailboxes -------------------------------------------------------

    async def opened(self, path: Path) -> Live:
        """The live mailbox, within a turn.

        Raises NoSuchMailbox, MailboxNotSelectable."""
        live = self.live.get(path)
        if live is None or live.gone:
            live = await self.thread(self._load, path)
            self.live[path] = live
            self._changed(self.account.home, path)
        await self.look(live)
        return live

    def _load(self, path: Path) -> Live:
        """In a thread: the mailbox as the state has it, not compared with disk."""
        folder = self.folder_of(path)
        with self.transaction():
            row = self.state.mailbox(path) or self.adopt(path, folder)
            letters = self.state.keywords(row.id)
            removed = self.state.removed(row.id)
            names = FlagNames(letters)
            live = self.kind_of(folder)(path, folder, row, names, removed=removed)
            if not columns.fill(self, live):
                live.fill(self.state.messages(row.id))
            elif live.row != row:
                live.apply(self._since(live, row))
        beside = self.place.beside(folder)
        if uidlist.overgrown(beside, len(live)):
            pairs = zip(live.uids, live.bases, strict=True)
            uidlist.rewrite(beside, row, pairs, letters, live.words())
        return live

    def kind_of(self, folder: str) -> type[Live]:
        return Live

    def folder_of(self, path: Path) -> str:
        """In a thread: the folder of an existing mailbox; INBOX is made if missing."""
        return self.place.folder_of(path)

    def row_of(self, path: Path) -> MailboxRow:
        """In a thread, in a transaction: of an existing mailbox."""
        folder = self.folder_of(path)
        row = self.state.mailbox(path)
        return self.adopt(path, folder) if row is None else row

    def adopt(self, path: Path, folder: str) -> MailboxRow:
        """See adopting."""
        return adopting.adopt(self, path, folder)

    # -- looking at the folder ------------------------------------------------

    def _in_doubt(self, live: Looked) -> bool:
        since = live.doubted_at
        return since is not None and self.reactor.seconds() - since > DOUBT_S

    def unchanged(self, live: Looked) -> bool:
        """True if the folder looks as at the last look: two stat calls."""
        try:
            same = scan.stamp_of(live.folder) == live.stamp
        except FileNotFoundError:
            return False
        return same and not self._in_doubt(live)

    async def look(self, live: Live, *, sure: bool = False) -> None:
        """Take in what changed on disk, within a turn; two stat calls if nothing did.

        `sure` lists the folder whatever the stamps say.  Raises NoSuchMailbox."""
        if live.gone:
            raise NoSuchMailbox()
        if not sure and self.unchanged(live):
            return
        if not os.path.isdir(f"{live.folder}/cur"):
            await self.thread(self.counting.doubted)
            self.vanish(live)
            raise NoSuchMailbox()
        seen = None if sure or self._in_doubt(live) else live.stamp
        self.applied(live, await self.thread(self._intake, live, seen))

    def _intake(self, live: Live, seen: Stamp | None) -> Delta:
        """In a thread; the reactor leaves `live` alone meanwhile (it is our turn)."""
        os.makedirs(f"{live.folder}/new", mode=0o700, exist_ok=True)
        with self.transaction(live):
            new, flying = self.counting.looked(live) or (None, frozenset())
            delta = scan.intake(live, self.names, seen, new, flying)
            self.record(live, delta)
        if live.removed and delta.listed:
            self.forget_removed(live)
        return delta

    def record(self, live: Live, delta: Delta) -> None:
        """In a thread, in a transaction: put down what was done or found."""
        if delta.empty:
            return
        row, state = delta.row, self.state
        self.counting.changed(live, delta)
        fresh: list[tuple[str, str]] = []
        if delta.letters is not None:
            old = live.names.letters
            fresh = [(k, name) for k, name in delta.letters.items() if k not in old]
            state.add_keywords(row.id, fresh)
        state.add_messages(row.id, delta.added)
        state.set_flags(row.id, delta.changed)
        state.vanish(row.id, row.highest_modseq, delta.vanished)
        state.set_counters(row.id, row.uid_next, row.highest_modseq)
        beside = self.place.beside(live.folder)
        words = live.new_words(delta)
        uidlist.append(beside, row, [m[:2] for m in delta.added], fresh, words)

    def forget_removed(self, live: Live) -> None:
        """In a thread: the files of `live.removed` are gone; make that durable."""
        durable.sync_directory(f"{live.folder}/cur")
        self.state.forget_removed(live.row.id)
        live.removed = set()

    def applied(self, live: Live, delta: Delta, *, ours: bool = True) -> None:
        """A thread's work becomes visible to every session."""
        if delta.stamp is not None:
            live.stamp = delta.stamp
            if delta.certain and delta.listed:
                live.doubted_at = None
            elif live.doubted_at is None or delta.listed:
                live.doubted_at = self.reactor.seconds()
        changed = delta.row.highest_modseq != live.row.highest_modseq
        live.apply(delta)
        if changed:
            self.changes.tell(live.path)
            if ours and delta.changed:
                self._hint(self.account.home, live.path)
        if delta.added or delta.vanished:
            self._changed(self.account.home, live.path)

    def vanish(self, live: Live) -> None:
        """The folder is gone: every session is told that its messages are."""
        live.gone = True
        if self.live.get(live.path) is live:
            del self.live[live.path]
        row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
        live.apply(Delta(row, vanished=live.uids[:]))

    def told_here(self, path: Path | None) -> None:
        """As AccountWatch.tell, and other processes get a hint."""
        self.changes.tell(path)
        self._hint(self.account.home, path)

    def hinted(self, path: Path | None) -> Deferred[None] | None:
        """Another process changed what the kernel may not tell of; see `refresh`."""
        self.changes.tell(path)
        live = None if path is None else self.live.get(path)
        return self.refresh(live, behind=True) if live and live.watched else None

    def refresh(self, live: Live, *, behind: bool = False) -> Deferred[None]:
        """Look soon; a fault is logged, the next look tries again."""

        async def look() -> None:
            if not live.gone:
                await self.look(live)
            if behind and not live.gone:
                await self.thread(compare)

        def compare() -> None:
            with self.transaction(live):
                pass  # raises Behind for what only the state tells

        return self.turn(look).addErrback(self._not_refreshed, live)

    @staticmethod
    def _not_refreshed(fault: Failure, live: Live) -> None:
        if not fault.check(MailError):
            log.failure("looking at {folder}", failure=fault, folder=live.folder)
