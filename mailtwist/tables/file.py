"""Tables in text files: held in memory, reread when the file changed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from ..delivery.alias_grammar import Mistake
from ..directory.stamp import JUST_NOW_NS, LOOK_S, stamp_of
from ..errors import LookupFailed
from ..interfaces import ITable
from .pool import TablePool

log = Logger("mailtwist")

MOST_OCTETS = 256 * 1024 * 1024
LINES_IN_A_SLICE = 1000  # some 3 ms of the reactor's time
MOST_TOLD = 20  # mistakes of one file in the log


class Held(Protocol):
    """The content of a file as it is asked."""

    @property
    def mistakes(self) -> Sequence[Mistake]: ...

    def read(self, text: str) -> Iterator[None]: ...

    def find(self, key: str) -> str | None: ...


@implementer(ITable)
class FileTable:
    """See ITable.  A change of the file counts with the next look-up (0.25 s later at
    most), all of it at once; meanwhile nobody is answered from half of it.

    A line that cannot be read makes every key that is not found a temporary fault: it
    may be the one that stood there.
    """

    def __init__(
        self,
        reactor: Any,
        pool: TablePool,
        name: str,
        path: str,
        make: Callable[[], Held],
        *,
        whole_keys: bool = False,
    ) -> None:
        self.name, self.path, self.whole_keys = name, path, whole_keys
        self._reactor, self._pool, self._make = reactor, pool, make
        self._held: Held | None = None
        self._stamp: object = None
        self._looked_at = float("-inf")
        self._down = False
        self._waiting: list[Deferred[None]] | None = None

    async def find(self, key: str) -> str | None:
        """See ITable."""
        await self.fresh()
        held = self._held
        if held is None:
            raise LookupFailed()
        value = held.find(key)
        if value is None and any(not one.harmless for one in held.mistakes):
            raise LookupFailed()
        return value

    async def fresh(self) -> None:
        """Return when memory holds what the file does; raises LookupFailed."""
        if self._waiting is None:
            now = self._reactor.seconds()
            if now - self._looked_at < LOOK_S:
                if self._held is None:
                    raise LookupFailed()
                return
            self._looked_at = now
            if self._held is not None and stamp_of(self.path) == self._stamp:
                return
            self._waiting = []
            reading = Deferred.fromCoroutine(self._read())
            reading.addCallbacks(self._done, self._failed)
        if self._waiting is not None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    async def _read(self) -> None:
        stamp, octets = await self._pool.run(read, self.path)
        held = self._make()
        text = octets.decode(errors="replace")
        for number, _ in enumerate(held.read(text), 1):
            if number % LINES_IN_A_SLICE == 0:
                await deferLater(self._reactor, 0)
        for mistake in held.mistakes[:MOST_TOLD]:
            log.error(
                "{path}:{line}: expected {what}",
                path=self.path,
                line=mistake.line,
                what=mistake.expected,
            )
        self._held, self._stamp = held, stamp

    def _done(self, ignored: None) -> None:
        if self._down:
            self._down = False
            log.info("{path} can be read again", path=self.path)
        waiting, self._waiting = self._waiting or [], None
        for one in waiting:
            if not one.called:
                one.callback(None)

    def _failed(self, failure: Any) -> None:
        """Nothing is known until the file can be read again; told once."""
        fault, told, self._down = failure.value, self._down, True
        if isinstance(fault, OSError) and told:
            log.debug("{path} cannot be read yet", path=self.path)
        elif isinstance(fault, OSError):
            why = fault.strerror or str(fault)
            log.error("{path} cannot be read: {why}", path=self.path, why=why)
        elif not isinstance(fault, LookupFailed):
            log.failure("reading {path}", failure, path=self.path)
        self._held = None
        waiting, self._waiting = self._waiting or [], None
        for one in waiting:
            if not one.called:
                one.errback(LookupFailed())


def read(path: str) -> tuple[object, bytes]:
    """(stamp, octets) of a table's file; raises OSError.

    A stamp that may hide a change says so: file times are as coarse as the kernel's
    tick."""
    with open(path, "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise OSError("is no regular file")
        if before.st_mode & stat.S_IWOTH:
            raise OSError("everybody may write it; chmod o-w")
        if before.st_size > MOST_OCTETS:
            raise OSError(f"is larger than {MOST_OCTETS} octets")
        octets = file.read(MOST_OCTETS)
        after = os.fstat(file.fileno())
    stamp = before.st_ino, before.st_mtime_ns, before.st_size
    fresh = time.time_ns() - before.st_mtime_ns < JUST_NOW_NS
    if fresh or before.st_mtime_ns != after.st_mtime_ns:
        return (*stamp, "just now"), octets
    return stamp, octets
