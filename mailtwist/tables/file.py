"""Tables in text files: held in memory, reread when the file changed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

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


class Readable(Protocol):
    """What becomes of the lines of a file."""

    @property
    def mistakes(self) -> Sequence[Mistake]: ...

    def read(self, text: str) -> Iterator[None]: ...


class Held(Readable, Protocol):
    """The content of a table's file as it is asked."""

    def find(self, key: str) -> str | None: ...
    def keys(self) -> Collection[str] | None: ...


Content = TypeVar("Content", bound=Readable)


@implementer(ITable)
class FileTable:
    """See ITable.

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
        self._file: HeldFile[Held] = HeldFile(reactor, pool, path, make)

    async def find(self, key: str) -> str | None:
        """See ITable."""
        held = await self._file.content()
        value = held.find(key)
        if value is None and any(not one.harmless for one in held.mistakes):
            raise LookupFailed()
        return value

    async def keys(self) -> Collection[str] | None:
        """See ITable."""
        held = await self._file.content()
        if any(not one.harmless for one in held.mistakes):
            raise LookupFailed()
        return held.keys()


class HeldFile(Generic[Content]):
    """A file in memory.  A change counts with the next look (0.25 s later at most), all
    of it at once; meanwhile nobody is answered from half of it."""

    def __init__(
        self, reactor: Any, pool: TablePool, path: str, make: Callable[[], Content]
    ) -> None:
        self.path = path
        self._reactor, self._pool, self._make = reactor, pool, make
        self._held: Content | None = None
        self._stamp: object = None
        self._looked_at = float("-inf")
        self._down = False
        self._waiting: list[Deferred[None]] | None = None

    def stamp(self) -> object:
        """Another one when the file changed; the next look sees the change then."""
        seen = stamp_of(self.path)
        if seen != self._stamp:
            self._looked_at = float("-inf")
        return seen

    async def content(self) -> Content:
        """What the file holds; raises LookupFailed."""
        await self._fresh()
        if self._held is None:
            raise LookupFailed()
        return self._held

    async def _fresh(self) -> None:
        """Return when memory holds what the file does; raises LookupFailed."""
        if self._waiting is None:
            now = self._reactor.seconds()
            if now - self._looked_at < LOOK_S:
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
