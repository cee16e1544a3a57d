"""Octets of one message on their way in: in memory while small, then in a file.

The file lies in some tmp/ of the file system where the message will stay, so that it
can be renamed into place.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from . import durable

FLUSH_OCTETS = 256 * 1024  # handed to the thread at a time
MOST_BEHIND = 1024 * 1024  # octets that may wait for the disk before we say stop


class Spooler:
    """Makes spools and owns the threads that write their files."""

    def __init__(self, reactor: Any, memory_octets: int) -> None:
        self.reactor, self.memory_octets = reactor, memory_octets
        self._pool = ThreadPool(0, 2, "mailtwist-spool")

    def spool(self, path: str, head: bytes = b"") -> Spool:
        """A spool that becomes the file `path` when it grows, `head` at its start."""
        return Spool(self, path, head)

    def defer(self, work: Any, *arguments: Any) -> Deferred[Any]:
        if not self._pool.started:
            self._pool.start()
        return deferToThreadPool(self.reactor, self._pool, work, *arguments)

    async def close(self) -> None:
        if self._pool.started:
            self._pool.stop()


class Spool:
    """Takes octets; `parts` or `descriptor` gives them to the writer."""

    def __init__(self, owner: Spooler, path: str, head: bytes) -> None:
        self._owner, self.path, self.head = owner, path, head
        self.octets = 0
        self.parts: list[bytes] = []
        self.descriptor: int | None = None
        self.fault: OSError | None = None
        self._held = 0  # octets in parts
        self._flushed = 0  # octets given to the file, head included
        self._writing: Deferred[None] | None = None
        self._waiters: list[Deferred[None]] = []
        self._aborted = False

    @property
    def in_memory(self) -> bool:
        return self.descriptor is None and self._writing is None

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """As IMessageSink.write; a storage fault is kept in `fault`."""
        self.octets += len(octets)
        if self.fault is not None:
            return None
        self.parts.append(octets)
        self._held += len(octets)
        if self.octets <= self._owner.memory_octets or self._held < FLUSH_OCTETS:
            return None
        if self._writing is None:
            self._flush()
        return self._wait() if self._held > MOST_BEHIND else None

    async def settled(self) -> None:
        """Everything taken is in the file, if there is one."""
        while not self.in_memory and (self._writing is not None or self._held):
            if self.fault is not None:
                return
            if self._writing is None:
                self._flush()
            await self._wait()

    def _wait(self) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def _flush(self) -> None:
        parts, self.parts, self._held = self.parts, [], 0
        self._writing = self._owner.defer(self._to_file, parts)
        self._writing.addBoth(self._flushed_to)

    def _to_file(self, parts: list[bytes]) -> None:
        """In the thread: open on the first call, append, begin the writeback."""
        if self.descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self.descriptor = os.open(self.path, flags, 0o600)
            if self.head:
                parts = [self.head, *parts]
        octets = b"".join(parts)
        durable.write_all(self.descriptor, [octets])
        durable.start_writeback(self.descriptor, self._flushed, len(octets))
        self._flushed += len(octets)

    def _flushed_to(self, result: object) -> None:
        self._writing = None
        if isinstance(result, Failure):
            self.fault = (
                result.value if isinstance(result.value, OSError) else OSError(0, "")
            )
            self.parts, self._held = [], 0
        if self._aborted:
            self._remove()
        elif self._held >= FLUSH_OCTETS:
            self._flush()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(None)

    def close(self) -> None:
        """The file was renamed into place, or the octets are no longer wanted."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
        self.parts, self._held = [], 0

    def abort(self) -> None:
        """Forget the octets; nothing of them stays on disk."""
        self._aborted = True
        self.parts, self._held = [], 0
        if self._writing is None:
            self._remove()

    def _remove(self) -> None:
        if self.descriptor is not None:
            self.close()
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                return
