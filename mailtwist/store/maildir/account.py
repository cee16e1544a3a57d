"""One account's files: its lock, its threads' work, its live mailboxes.

Everything that reads or writes the state runs one at a time for an account.  Work that
was begun is finished even if nobody waits for it any longer.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...directory.model import Account
from ...errors import MailboxNotSelectable, MailError, NoSuchMailbox
from ...flags import Flags
from ...mailbox.model import INBOX, Path, Usage
from ..cache import Cache
from ..state import MailboxRow, State
from . import durable, folders, scan
from .live import Delta, Live, Message, Stamp
from .names import flags_of

log = Logger()

DOUBT_S = 1.0  # after our own change, the folder is listed once more after this

Result = TypeVar("Result")


def shielded(inner: Deferred[Result]) -> Deferred[Result]:
    """The same result; cancelling it abandons the wait and not the work."""
    outer: Deferred[Result] = Deferred()

    def pass_on(result: Result | Failure) -> None:
        if not outer.called:
            outer.callback(result)
        elif isinstance(result, Failure) and not result.check(MailError):
            log.failure("work that nobody waits for", failure=result)

    inner.addBoth(pass_on)
    return outer


class AccountFiles:
    """The Maildir, state and cache of one account.

    `defer(work, ...)` of the store runs work in a thread.  Live mailboxes belong to the
    reactor's thread, State and Cache to whichever thread holds the lock's turn.
    """

    def __init__(
        self, account: Account, defer: Callable[..., Deferred[Any]], reactor: Any
    ) -> None:
        self.account, self._defer, self.reactor = account, defer, reactor
        self.maildir = os.path.join(account.home, "Maildir")
        self.state = State(os.path.join(account.home, "state.sqlite"))
        self.cache = Cache(os.path.join(account.home, "cache.sqlite"))
        self.live: dict[Path, Live] = {}
        self.usage: Usage | None = None
        self.used_at = 0.0
        self.busy = 0
        self._lock, self._cache_lock = DeferredLock(), DeferredLock()
        self._polls: dict[Path, LoopingCall] = {}

    # -- turns ----------------------------------------------------------------

    def turn(self, work: Callable[[], Awaitable[Result]]) -> Deferred[Result]:
        """Run `work` alone on this account; it goes on if the wait is cancelled."""
        return shielded(Deferred.fromCoroutine(self._turn(self._lock, work)))

    def cache_turn(
        self, work: Callable[..., Result], *arguments: Any
    ) -> Deferred[Result]:
        """Run `work` in a thread, alone on the cache."""

        async def run() -> Result:
            result: Result = await self._defer(work, *arguments)
            return result

        return shielded(Deferred.fromCoroutine(self._turn(self._cache_lock, run)))

    async def _turn(
        self, lock: DeferredLock, work: Callable[[], Awaitable[Result]]
    ) -> Result:
        self.busy += 1
        try:
            await lock.acquire()
            try:
                return await work()
            finally:
                lock.release()
        finally:
            self.busy -= 1
            self.used_at = self.reactor.seconds()

    async def thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Run `work` in a thread, within a turn; a full disk is told as such."""
        try:
            result: Result = await self._defer(work, *arguments)
        except OSError as fault:
            log.failure("storage of {name}", name=self.account.name)
            raise durable.fault_of(fault) from fault
        return result

    @property
    def idle(self) -> bool:
        return not self.busy and not any(live.handles for live in self.live.values())

    def close(self) -> None:
        """Blocks for a moment; only when idle."""
        for poll in self._polls.values():
            if poll.running:
                poll.stop()
        self.state.close()
        self.cache.close()

    # -- live mailboxes -------------------------------------------------------

    async def opened(self, path: Path) -> Live:
        """The live mailbox, within a turn.

        Raises NoSuchMailbox, MailboxNotSelectable."""
        live = self.live.get(path)
        if live is None or live.gone:
            live = await self.thread(self._load, path)
            self.live[path] = live
        await self.look(live)
        return live

    def _load(self, path: Path) -> Live:
        """In a thread: the mailbox as the state has it, not compared with disk."""
        folder = self.folder_of(path)
        with self.state.transaction():
            row = self.state.mailbox(path)
            if row is None:
                row = self._adopt(path, folder)
            letters = self.state.keywords(row.id)
        live = Live(path, folder, row, letters, vanish_from=row.highest_modseq)
        for values in self.state.messages(row.id):
            live._append(Message(*values), self.flags_with(letters))
        return live

    def folder_of(self, path: Path) -> str:
        """In a thread: the folder of an existing mailbox; INBOX is made if missing."""
        name = folders.folder_name(path)
        folder = os.path.join(self.maildir, name) if name else self.maildir
        if os.path.isdir(os.path.join(folder, "cur")):
            for part in folders.PARTS:  # some programs leave new or tmp out
                os.makedirs(os.path.join(folder, part), mode=0o700, exist_ok=True)
            return folder
        if path == INBOX:
            return folders.make(self.maildir, path)
        known = folders.listed(self.maildir)
        if path in known:
            return known[path]
        if any(other[: len(path)] == path for other in known):
            raise MailboxNotSelectable()
        raise NoSuchMailbox()

    def _adopt(self, path: Path, folder: str) -> MailboxRow:
        """A row for a folder that has none: new, another program's, or its state was
        lost - then the uidlist gives back what it knows."""
        kept = scan.read_uidlist(folder)
        if kept is None:
            return self.state.add_mailbox(path)
        validity, uids = kept
        uid_next = max(uids.values(), default=0) + 1
        row = self.state.add_mailbox(path, uid_validity=validity, uid_next=uid_next)
        found = scan.salvaged(folder, uids, row.highest_modseq)
        self.state.add_messages(row.id, map(scan.as_row, found))
        return row

    def flags_with(self, letters: dict[str, str]) -> Callable[[str, str], Flags]:
        def flags(of_letters: str, keywords: str) -> Flags:
            return flags_of(of_letters, letters) | frozenset(keywords.split())

        return flags

    # -- looking at the folder ------------------------------------------------

    def unchanged(self, live: Live) -> bool:
        """True if the folder looks as at the last look: two stat calls."""
        try:
            same = scan.stamp_of(live.folder) == live.stamp
        except FileNotFoundError:
            return False
        old = live.doubtful and self.reactor.seconds() - live.seen_at > DOUBT_S
        return same and not old

    async def look(self, live: Live, *, sure: bool = False) -> None:
        """Take in what changed on disk, within a turn; two stat calls if nothing did.

        `sure` lists the folder whatever the stamps say."""
        try:
            stamp = scan.stamp_of(live.folder)
        except FileNotFoundError:
            self._vanish(live)
            raise NoSuchMailbox() from None
        now = self.reactor.seconds()
        old = live.doubtful and now - live.seen_at > DOUBT_S
        if stamp == live.stamp and not old and not sure:
            return
        seen = None if old or sure else live.stamp
        delta = await self.thread(self._intake, live, seen)
        self.applied(live, delta)

    def _intake(self, live: Live, seen: Stamp | None) -> Delta:
        """In a thread; the reactor leaves `live` alone meanwhile (it is our turn)."""

        def known() -> dict[str, Message]:
            return {live.bases[at]: live.message(at) for at in range(len(live))}

        with self.state.transaction():
            return scan.intake(self.state, live.row, live.folder, known, seen)

    def applied(self, live: Live, delta: Delta) -> None:
        """A thread's work becomes visible to every session."""
        if self.usage is not None and (delta.added or delta.vanished):
            gone = [live.index(uid) for uid in delta.vanished]
            octets = sum(m.file_octets for m in delta.added)
            octets -= sum(live.file_octets[at] for at in gone if at is not None)
            self.usage = evolve(
                self.usage,
                octets=max(0, self.usage.octets + octets),
                messages=self.usage.messages + len(delta.added) - len(gone),
            )
        # A look that was made to end a doubt ends it, if the folder was at rest.
        live.doubtful = bool(
            delta.stamp != live.stamp or delta.added or delta.changed or delta.vanished
        )
        live.stamp = delta.stamp
        live.seen_at = self.reactor.seconds()
        letters = delta.letters if delta.letters is not None else live.keyword_letters
        live.apply(delta, self.flags_with(letters))

    def _vanish(self, live: Live) -> None:
        """The folder is gone: every session is told that its messages are."""
        live.gone = True
        self.live.pop(live.path, None)
        row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
        live.apply(Delta(row, vanished=live.uids[:]), self.flags_with({}))

    # -- watching -------------------------------------------------------------

    def poll(self, live: Live, every_s: float) -> None:
        """Look now and then while somebody watches."""
        if live.path in self._polls or not live.watched:
            return
        poll = LoopingCall(self._poll, live)
        poll.clock = self.reactor
        self._polls[live.path] = poll
        poll.start(every_s, now=False)

    def _poll(self, live: Live) -> Deferred[None] | None:
        if not live.watched or live.gone:
            self._polls.pop(live.path).stop()
            return None
        return None if self.unchanged(live) else self.refresh(live)

    def refresh(self, live: Live) -> Deferred[None]:
        """Look soon; a fault is logged, the next look tries again."""

        async def look() -> None:
            if not live.gone:
                await self.look(live)

        done = self.turn(look)
        done.addErrback(self._not_refreshed, live)
        return done

    @staticmethod
    def _not_refreshed(fault: Failure, live: Live) -> None:
        if not fault.check(MailError):
            log.failure("looking at {folder}", failure=fault, folder=live.folder)
