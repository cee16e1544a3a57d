"""Tables in memory that several processes map: they see each other's entries at once.

A table of fixed size: a key has four places, and of those the oldest gives way.  It is
memory and no journal: a crash of the machine may lose it, a kill of a process loses
nothing, and a torn place is a place of some key that nobody has.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

PLACES = 1 << 16
WAYS = 4  # places of one key
PLACE_OCTETS = 24
SIZE = PLACES * PLACE_OCTETS  # 1.5 MiB, of which only what is used takes memory
TRIES = 10_000  # at the lock, some 20 ms; others hold it for microseconds


def mark_of(key: str) -> int:
    """The hash of a key, the same in all processes; never 0."""
    octets = key.encode(errors="surrogateescape")
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "little") or 1


class Places:
    """One table, in `descriptor` at `offset`, which is a multiple of the page size.

    Each place has PLACE_OCTETS that begin with the hash of the key."""

    def __init__(self, descriptor: int, offset: int = 0) -> None:
        """Raises OSError."""
        self._file, self._offset = descriptor, offset
        if os.fstat(descriptor).st_size < offset + SIZE:
            os.ftruncate(descriptor, offset + SIZE)
        self.map = mmap.mmap(descriptor, SIZE, offset=offset)

    def close(self) -> None:
        """The descriptor stays open."""
        self.map.close()

    def of(self, key: str) -> tuple[int, list[int]]:
        """The key's hash, and where in `map` it may stand."""
        mark = mark_of(key)
        first = mark % (PLACES // WAYS) * WAYS
        return mark, [(first + way) * PLACE_OCTETS for way in range(WAYS)]

    @contextmanager
    def lock(self, at: int) -> Iterator[None]:
        """Nobody else changes the places of this key meanwhile; a process that was
        stopped while it held the lock is not waited for: an event that is not counted
        is the lesser harm."""
        at += self._offset
        for _ in range(TRIES):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
                break
            except (BlockingIOError, PermissionError):
                os.sched_yield()  # its holder may wait for this very processor
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, at)
