"""A small file that may change while the server runs: credentials, CAs."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import ConfigError
from .stamp import JUST_NOW_NS, LOOK_S, stamp_of

log = Logger("mailtwist")

Open = Callable[[str], Awaitable[int]]
Content = TypeVar("Content")


async def open_here(path: str) -> int:
    """A descriptor for reading, with our own rights; raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


class Reread(Generic[Content]):
    """Gives what `read(path)` made of a file; of a changed one after LOOK_S at most.

    While a changed file cannot be used, or is gone, the old content counts and the log
    says why, once.  `read` runs in the reactor's thread, raises ConfigError with a text
    fit for the log, and at first lets it through.  Without a path nothing is looked at.

    `also` gives further files, by the content, whose change is one too.

    With `again` a changed file is read by that, which may wait: for one that needs
    rights which are given up after the start.  The old content counts until then.
    """

    def __init__(
        self,
        path: str,
        read: Callable[[str], Content],
        seconds: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
        again: Callable[[str], Awaitable[Content]] | None = None,
        also: Callable[[Content], Sequence[str]] = lambda content: (),
    ) -> None:
        self._path, self._read, self._again = path, read, again
        self._also = also
        self._files: tuple[str, ...] = (path,)
        self._reading = False
        self._seconds, self._now_ns = seconds, now_ns
        self._told = ""
        self._look()
        self._content = read(path)
        self._watch()

    def __call__(self) -> Content:
        if self._path and self._seconds() - self._looked_s >= LOOK_S:
            before, settling = self._stamp, self._settling
            self._look()
            if self._stamp != before or settling:
                self._reread()
        return self._content

    def _look(self) -> None:
        """Before it is read, so that what is written meanwhile is another stamp."""
        self._looked_s = self._seconds()
        self._stamp = tuple(map(stamp_of, self._files))
        # Written so lately, it may be written again within one tick of its clock.
        written_ns = max(stamp[1] for stamp in self._stamp)
        self._settling = self._now_ns() - written_ns < JUST_NOW_NS

    def _watch(self) -> None:
        """The files that the content names; new ones were read just now."""
        files = (self._path, *self._also(self._content))
        if files != self._files:
            self._files = files
            self._look()
            self._settling = True

    def _reread(self) -> None:
        if self._again is not None:
            self._reread_later(self._again)
            return
        try:
            self._content = self._read(self._path)
        except ConfigError as fault:
            self._unusable(fault)
        else:
            self._used()

    def _reread_later(self, again: Callable[[str], Awaitable[Content]]) -> None:
        if self._reading:
            self._settling = True  # what is being read may be older: look again
            return
        self._reading = True
        asked = Deferred.fromCoroutine(self._waited(again))
        asked.addErrback(
            lambda failure: log.failure("reading {path}", failure, path=self._path)
        )

    async def _waited(self, again: Callable[[str], Awaitable[Content]]) -> None:
        try:
            self._content = await again(self._path)
        except ConfigError as fault:
            self._unusable(fault)
        else:
            self._used()
        finally:
            self._reading = False

    def _unusable(self, fault: ConfigError) -> None:
        if str(fault) != self._told:
            self._told = str(fault)
            log.error("{why}; what it held before counts", why=self._told)

    def _used(self) -> None:
        self._told = ""
        self._watch()
        log.info("{path} was read again", path=self._path)
