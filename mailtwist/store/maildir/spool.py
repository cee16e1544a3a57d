"""Octets of one message on their way in: in memory while small, then in a file.

The file lies in some tmp/ of the file system where the message will stay, so that it
can be renamed into place.  It is written while the message arrives and the kernel is
asked to write it out at once, so that the last fsync is short.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from . import durable

FLUSH_OCTETS = 256 * 1024  # handed to the thread at a time
MOST_BEHIND = 1024 * 1024  # octets that may wait for the disk before we say stop
THREADS = 4
_AGAIN = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


class Spooler:
    """Makes spools and owns the threads that write their files."""

    def __init__(
        self, reactor: Any, memory_octets: int, flush_octets: int = FLUSH_OCTETS
    ) -> None:
        """A spool over `memory_octets` gets a file, written by `flush_octets` or more
        at a time."""
        self.reactor, self.memory_octets = reactor, memory_octets
        self.flush_octets = flush_octets
        self._pool = ThreadPool(0, THREADS, "mailtwist-spool")
        self._open: set[Spool] = set()  # that have a file
        self._closing: Deferred[None] | None = None

    def spool(
        self,
        path: str,
        head: bytes = b"",
        make_folder: Callable[[], object] | None = None,
    ) -> Spool:
        """A spool that becomes the file `path` when it grows, `head` at its start.

        `make_folder` runs in the thread before the file is made; may raise OSError.
        """
        return Spool(self, path, head, make_folder)

    def defer(
        self, work: Callable[[*Given], Result], *arguments: *Given
    ) -> Deferred[Result]:
        """What `work` gives, run in one of the threads."""
        if not self._pool.started:
            self._pool.start()
        return deferToThreadPool(self.reactor, self._pool, work, *arguments)

    def run(self, work: Callable[[*Given], None], *arguments: *Given) -> None:
        """Have `work` done, in a thread while there are any; it must not raise."""
        if self._pool.started and not self._pool.joined:
            self._pool.callInThread(work, *arguments)
        else:
            work(*arguments)

    async def close(self) -> None:
        """Abort every spool that is left; returns when nothing of them stays."""
        for spool in list(self._open):
            spool.abort()
        if self._open:
            self._closing = self._closing or Deferred()
            await self._closing
        if self._pool.started and not self._pool.joined:
            self._pool.stop()

    def begun(self, spool: Spool) -> None:
        """A spool gets its file."""
        self._open.add(spool)

    def ended(self, spool: Spool) -> None:
        """The file is closed, and gone unless it became a message."""
        self._open.discard(spool)
        if self._closing is not None and not self._open:
            closing, self._closing = self._closing, None
            closing.callback(None)


class Spool:
    """Takes octets; `parts` or `descriptor` gives them to the writer.

    Whoever made it calls `abort` in the end, whatever became of it: a file that was not
    renamed into a mailbox is removed.
    """

    def __init__(
        self,
        owner: Spooler,
        path: str,
        head: bytes,
        make_folder: Callable[[], object] | None = None,
    ) -> None:
        self._owner, self.path, self.head = owner, path, head
        self._make_folder = make_folder
        self.octets = 0
        self.parts: list[bytes] = []
        self.descriptor: int | None = None
        self.fault: OSError | None = None
        self.renamed = False  # the file is a message now; set by the writer
        self._shelved = False  # all octets are in the file, which is closed
        self._held = 0  # octets in parts
        self._flushed = 0  # octets given to the file, head included
        self._writing: Deferred[None] | None = None
        self._waiters: list[Deferred[None]] = []
        self._users = 0  # commits that read it just now
        self._aborted = False

    @property
    def owner(self) -> Spooler:
        return self._owner

    @property
    def aborted(self) -> bool:
        """True if its octets are gone."""
        return self._aborted

    @property
    def in_memory(self) -> bool:
        shelved = self._shelved
        return self.descriptor is None and self._writing is None and not shelved

    def open_descriptor(self) -> int:
        """In a thread: the file's descriptor; raises OSError if there is none."""
        if self._shelved and self.descriptor is None and not self._aborted:
            self.descriptor = os.open(self.path, _AGAIN)
        if self.descriptor is None:
            raise OSError(errno.EBADF, "spool is closed")
        return self.descriptor

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """As IMessageSink.write; a storage fault is kept in `fault`."""
        self.octets += len(octets)
        if self.fault is not None or self._aborted:
            return None
        self.parts.append(octets)
        self._held += len(octets)
        if (
            self.octets <= self._owner.memory_octets
            or self._held < self._owner.flush_octets
        ):
            return None
        if self._writing is None:
            self._flush()
        return self._wait() if self._held > MOST_BEHIND else None

    async def shelve(self) -> None:
        """Nothing more comes: keep all of it in the file, and that closed, until it is
        wanted."""
        if not self.octets or self.fault is not None or self._aborted:
            return
        if self.in_memory:
            self._flush()
        await self.settled()
        while self._writing is not None:
            await self._wait()
        if self.fault is None and not self._aborted:
            self._shelved = True
            await self._owner.defer(self.put_back)

    def put_back(self) -> None:
        """In a thread: close the file of a spool that is shelved."""
        if self._shelved and self.descriptor is not None:
            descriptor, self.descriptor = self.descriptor, None
            os.close(descriptor)

    async def settled(self) -> None:
        """Everything taken is in the file, if there is one, or `fault` says why not."""
        while self._writing is not None or (self._held and not self.in_memory):
            if self._writing is None:
                self._flush()
            await self._wait()

    def _wait(self) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def _flush(self) -> None:
        self._owner.begun(self)
        parts, self.parts, self._held = self.parts, [], 0
        self._writing = self._owner.defer(self._to_file, parts)
        self._writing.addBoth(self._flushed_to)

    def _to_file(self, parts: list[bytes]) -> None:
        """In the thread: open on the first call, append, begin the writeback."""
        if self.descriptor is None:
            if self._make_folder is not None:
                self._make_folder()
            self.descriptor = durable.create(self.path)
            parts = [self.head, *parts]
        durable.write_all(self.descriptor, parts)
        count = sum(map(len, parts))
        durable.start_writeback(self.descriptor, self._flushed, count)
        self._flushed += count

    def _flushed_to(self, result: object) -> None:
        self._writing = None
        if isinstance(result, Failure):
            cause = result.value
            self.fault = cause if isinstance(cause, OSError) else OSError(0, str(cause))
            self.parts, self._held = [], 0
        if self._aborted:
            self._done()
        elif self._held >= self._owner.flush_octets:
            self._flush()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(None)

    # -- the end ------------------------------------------------------------------

    def hold(self) -> None:
        """A commit reads the spool: until `release` it stays whatever happens."""
        self._users += 1

    def release(self) -> None:
        self._users -= 1
        if self._aborted:
            self._done()

    def abort(self) -> None:
        """Done with it: nothing stays on disk but what became a message."""
        self._aborted = True
        if not self._users:
            self.parts, self._held = [], 0
        self._done()

    def _done(self) -> None:
        if self._users or self._writing is not None:
            return
        self.parts, self._held = [], 0
        if self.descriptor is not None or self._shelved:
            descriptor, self.descriptor = self.descriptor, None
            self._shelved = False
            self._owner.run(_discard, descriptor, "" if self.renamed else self.path)
        self._owner.ended(self)


def _discard(descriptor: int | None, path: str) -> None:
    """Close and, with a path, unlink: freeing a large file takes a while."""
    if path:
        with contextlib.suppress(OSError):  # what stays is removed as stale later
            os.unlink(path)
    if descriptor is not None:
        os.close(descriptor)
