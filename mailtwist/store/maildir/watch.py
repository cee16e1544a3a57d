"""Noticing what other programs do in folders that sessions watch."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from . import durable
from .filesystem import LOCAL
from .inotify import Inotify
from .live import Live

# Where the kernel tells of every change, a poll only finds a folder moved away.
RARELY_S = 30.0


@define
class _Watched:
    poll: LoopingCall
    ends: list[Callable[[], None]] = field(factory=list)
    looking: bool = False
    again: bool = False
    later: Any = None  # the delayed call of a look that time stamps might hide


class Watches:
    """One watch for each mailbox, whatever the number of its sessions.

    inotify(7) tells at once; a poll stays for file systems that other hosts write to,
    and where there is no inotify: two stat calls if nothing happened.
    """

    def __init__(
        self,
        reactor: Any,
        every_s: float,
        unchanged: Callable[[Live], bool],
        refresh: Callable[[Live], Deferred[None]],
        *,
        doubt_s: float,
        inotify: Callable[[], Inotify | None],
        paths: Callable[[str], list[tuple[str, int]]],
    ) -> None:
        """`paths` gives what the kernel is to tell of for a folder, and of what there.
        `refresh` gives a Deferred that never fails.  For `doubt_s` after a change a
        further one may leave a folder's time stamps as they are."""
        self._reactor, self._every_s, self._doubt_s = reactor, every_s, doubt_s
        self._unchanged, self._refresh = unchanged, refresh
        self._inotify, self._paths = inotify, paths
        self._watched: dict[Live, _Watched] = {}

    def begin(self, live: Live) -> None:
        """Watch until nobody wants to know any longer."""
        if live in self._watched or not live.watched:
            return
        poll = LoopingCall(self._look, live)
        poll.clock = self._reactor
        watched = self._watched[live] = _Watched(poll)
        told = self._ask_kernel(live, watched)
        every_s = max(self._every_s, RARELY_S) if told else self._every_s
        poll.start(every_s, now=False)

    def _ask_kernel(self, live: Live, watched: _Watched) -> bool:
        """True if the kernel tells of every change."""
        inotify = self._inotify()
        if inotify is None:
            return False
        try:
            for path, events in self._paths(live.folder):
                end = inotify.watch(path, lambda: self._told(live), events)
                watched.ends.append(end)
            return is_local(live.folder)
        except OSError:  # too many watches, or the folder just went: poll
            return False

    def end(self, live: Live) -> None:
        """Stop if nobody watches."""
        if not live.watched or live.gone:
            self._end(self._watched.pop(live, None))

    def close(self) -> None:
        for watched in self._watched.values():
            self._end(watched)
        self._watched.clear()

    @staticmethod
    def _end(watched: _Watched | None) -> None:
        if watched is None:
            return
        if watched.poll.running:
            watched.poll.stop()
        if watched.later is not None and watched.later.active():
            watched.later.cancel()
        for end in watched.ends:
            end()

    def _told(self, live: Live) -> None:
        """The kernel says that something changed, perhaps by ourselves."""
        watched = self._watched.get(live)
        if watched is None:
            return
        if watched.later is None or not watched.later.active():
            watched.later = self._reactor.callLater(self._doubt_s, self._look, live)
        self._look(live)

    def _look(self, live: Live) -> Deferred[None] | None:
        if not live.watched or live.gone:
            self.end(live)
            return None
        watched = self._watched.get(live)
        if watched is None:
            return None
        if watched.looking:
            watched.again = True
            return None
        if self._unchanged(live):
            return None
        watched.looking, watched.again = True, False

        def looked(_: object) -> None:
            watched.looking = False
            if watched.again:
                self._look(live)

        return self._refresh(live).addBoth(looked)


def is_local(folder: str) -> bool:
    """True if only this host can change the folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return durable.file_system_type(descriptor) in LOCAL
    finally:
        os.close(descriptor)
