"""Noticing what happens in any mailbox of an account, whoever does it.

Nothing is opened for it: what this process does tells itself; other programs change
the time stamps of folders; our other processes change the state database too.  Where
the kernel tells of folders (inotify), time stamps are rarely compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import MailError
from ...mailbox.metadata import ACCOUNT
from ...mailbox.model import Path
from ...mailbox.watchers import Watchers
from .. import state_metadata
from .live import Stamp
from .watch import RARELY_S, is_local

if TYPE_CHECKING:
    from .account import AccountFiles

log = Logger()

MOST_TOLD = 1000  # folders that the kernel is asked to tell of; others are polled
MOST_SHARE = 10  # one part of the time goes into looking at folders, at most
MOST_REST_S = 0.9  # between looks, however long they take
SOON_S = 0.02  # what happens at a time is looked at together

Changed = Callable[[Path | None], None]


@define
class Figures:
    """What the state database says: MODSEQ by mailbox, subscriptions, and how often
    annotations changed."""

    version: int = -1  # of the database as seen by its connection
    modseqs: dict[Path, int] = field(factory=dict)
    subscribed: frozenset[Path] = frozenset()
    annotated: int = 0


class AccountWatch:
    """The watch of one account, whatever the number of its sessions."""

    def __init__(
        self, files: AccountFiles, *, poll_s: float, doubt_s: float, inotify: Any
    ) -> None:
        self._files, self._poll_s, self._doubt_s = files, poll_s, doubt_s
        self._inotify = inotify
        self._watchers: Watchers[Path | None] = Watchers()
        self._poll: LoopingCall | None = None
        self._lock, self._active = DeferredLock(), False
        self._stamps: dict[str, Stamp] = {}  # by folder name, "" for INBOX
        self._ends: dict[str, list[Callable[[], None]]] = {}
        self._figures = Figures()
        self._state_stamp: tuple[int, ...] = ()
        self._looked_s = self._look_s = 0.0  # when, and how long it took
        self._looking = self._again = False
        self._later: list[Any] = []
        self._all_told = False

    # -- watchers -------------------------------------------------------------

    async def watch(self, changed: Changed) -> Callable[[], None]:
        """Call `changed` for all that happens from now on; returns what ends it."""
        end_watching = self._watchers.add(changed)

        def end() -> None:
            end_watching()
            if not self._watchers:
                self.close()

        try:
            await self._lock.acquire()
            try:
                if self._poll is None:
                    await self._start()
            finally:
                self._lock.release()
        except BaseException:
            end()
            raise
        return end

    def tell(self, path: Path | None) -> None:
        """This process changed messages of `path`, names (None), or annotations
        (ACCOUNT)."""
        if self._watchers:
            self._watchers.tell(path)

    def close(self) -> None:
        """Nobody wants to know any longer."""
        if self._poll is not None and self._poll.running:
            self._poll.stop()
        self._poll, self._active = None, False
        for later in self._later:
            if later.active():
                later.cancel()
        self._later.clear()
        for ends in self._ends.values():
            for end in ends:
                end()
        self._ends.clear()
        self._stamps, self._figures = {}, Figures()

    # -- looking --------------------------------------------------------------

    async def _start(self) -> None:
        """Have a first look, to compare others with."""
        self._active = True
        await self._look()
        if self._active:
            poll = self._poll = LoopingCall(self._tick)
            poll.clock = self._files.reactor
            poll.start(self._poll_s, now=False)

    def _tick(self) -> None:
        every_s = RARELY_S if self._all_told else 0.0
        late = self._files.reactor.seconds() - self._looked_s >= every_s
        if late or self._stamp_of_state() != self._state_stamp:
            self._soon(0.0)

    def _soon(self, after_s: float = SOON_S) -> None:
        """Look, once for all that happens until then."""
        self._later = [one for one in self._later if one.active()]
        now = self._files.reactor.seconds()
        rest_s = min(self._look_s * MOST_SHARE, MOST_REST_S)
        after_s = max(after_s, self._looked_s + rest_s - now)
        due = now + after_s
        if self._poll is None or any(one.getTime() <= due for one in self._later):
            return
        self._later.append(self._files.reactor.callLater(after_s, self._look_again))

    def _look_again(self) -> None:
        if self._looking:
            self._again = True
            return
        self._looking, self._again = True, False

        def looked(_: object) -> None:
            self._looking = False
            if self._again:
                self._soon()

        Deferred.fromCoroutine(self._look()).addErrback(self._not_looked).addBoth(
            looked
        )

    def _not_looked(self, failure: Failure) -> None:
        """The next look tells."""
        if not failure.check(MailError):
            log.failure("looking at {name}", failure, name=self._files.account.name)

    async def _look(self) -> None:
        """Compare with the last look, and tell what is not as it was."""
        files = self._files
        self._looked_s = files.reactor.seconds()
        first, before = not self._stamps, self._figures
        self._state_stamp = self._stamp_of_state()
        figures = await files.turn(lambda: files.thread(self._read, before))
        began_s = files.reactor.seconds()
        stamps = await files.aside(files.place.stamps)
        self._look_s = files.reactor.seconds() - began_s
        if not self._active:
            return
        old, self._stamps, self._figures = self._stamps, stamps, figures
        self._ask_kernel()
        if first:
            return
        changed = self._compared(old, stamps)
        for known, modseq in figures.modseqs.items():
            if before.modseqs.get(known) != modseq:
                changed[known] = None
        if figures.subscribed != before.subscribed:
            changed[None] = None
        if figures.annotated != before.annotated:
            changed[ACCOUNT] = None
        for path in changed:
            self._watchers.tell(path)
        if changed:  # more may have happened within the tick of a stamp
            self._soon(self._doubt_s)

    def _compared(
        self, old: dict[str, Stamp], new: dict[str, Stamp]
    ) -> dict[Path | None, None]:
        changed: dict[Path | None, None] = {}
        if old.keys() != new.keys():
            changed[None] = None
        for name, stamp in new.items():
            if old.get(name) != stamp:
                path = self._files.place.path_of(name)
                if path is not None:
                    changed[path] = None
        return changed

    def _read(self, before: Figures) -> Figures:
        """In a thread, in a turn: what the state says."""
        files = self._files
        files.place.prepare()  # so that there is a place for the state
        state = files.state
        version = state.data_version()
        if version != before.version:
            subscribed = frozenset(state.subscriptions())
            annotated = state_metadata.changes(state)
            before = Figures(version, state.modseqs(), subscribed, annotated)
        return before

    def _stamp_of_state(self) -> tuple[int, ...]:
        found: list[int] = []
        for suffix in ("", "-wal"):
            try:
                seen = os.stat(self._files.state.path + suffix)
                found += (seen.st_mtime_ns, seen.st_size, seen.st_ino)
            except OSError:
                found.append(0)
        return tuple(found)

    def _ask_kernel(self) -> None:
        """Be told of the folders that are there now."""
        inotify = self._inotify()
        if inotify is None:
            return
        for name in self._ends.keys() - self._stamps.keys() - {_ROOT}:
            for end in self._ends.pop(name):
                end()
        place = self._files.place
        self._all_told = len(self._stamps) <= MOST_TOLD
        try:
            if _ROOT not in self._ends:
                self._ends[_ROOT] = [inotify.watch(place.root, self._soon)]
            for name in self._stamps:
                if name in self._ends or len(self._ends) > MOST_TOLD:
                    continue
                ends = self._ends.setdefault(name, [])
                for watched, events in place.watched(name):
                    ends.append(inotify.watch(watched, self._soon, events))
            self._all_told = self._all_told and is_local(place.root)
        except OSError:  # too many watches, or a folder just went: poll
            self._all_told = False


_ROOT = "/"  # no folder has this name
