"""A small file that may change while the server runs: credentials, CAs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.logger import Logger

from ..errors import ConfigError
from .stamp import JUST_NOW_NS, LOOK_S, stamp_of

log = Logger("mailtwist")

Content = TypeVar("Content")


class Reread(Generic[Content]):
    """Gives what `read(path)` made of a file; of a changed one after LOOK_S at most.

    While a changed file cannot be used, or is gone, the old content counts and the log
    says why, once.  `read` runs in the reactor's thread, raises ConfigError with a text
    fit for the log, and at first lets it through.  Without a path nothing is looked at.
    """

    def __init__(
        self,
        path: str,
        read: Callable[[str], Content],
        seconds: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path, self._read = path, read
        self._seconds, self._now_ns = seconds, now_ns
        self._told = ""
        self._look()
        self._content = read(path)

    def __call__(self) -> Content:
        if self._path and self._seconds() - self._looked_s >= LOOK_S:
            before, settling = self._stamp, self._settling
            self._look()
            if self._stamp != before or settling:
                self._reread()
        return self._content

    def _look(self) -> None:
        """Before it is read, so that what is written meanwhile is another stamp."""
        self._looked_s, self._stamp = self._seconds(), stamp_of(self._path)
        # Written so lately, it may be written again within one tick of its clock.
        self._settling = self._now_ns() - self._stamp[1] < JUST_NOW_NS

    def _reread(self) -> None:
        try:
            self._content = self._read(self._path)
        except ConfigError as fault:
            if str(fault) != self._told:
                self._told = str(fault)
                log.error("{why}; what it held before counts", why=self._told)
            return
        self._told = ""
        log.info("{path} was read again", path=self._path)
