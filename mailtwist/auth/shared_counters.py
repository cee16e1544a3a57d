"""Counters in a file that several processes map: they see each other's at once.

A table of fixed size: a key has four places, and the one whose window ends first gives
way.  The file is memory and no journal: a crash of the machine may lose it, a kill of a
process loses nothing, and a torn place is a place of some key that nobody has.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

PLACES = 1 << 16  # 1.5 MiB
WAYS = 4  # places of one key
PLACE = struct.Struct("<QdQ")  # hash of the key, end of its window, failures
TRIES = 10_000  # at the lock, some 20 ms; others hold it for microseconds


class SharedCounters:
    """`now` is a clock that all processes share."""

    def __init__(self, path: str, now: Callable[[], float], window_s: float) -> None:
        """Raises OSError."""
        self._now, self._window_s = now, window_s
        size = PLACES * PLACE.size
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(path, flags, 0o600)
        try:
            if os.fstat(self._file).st_size < size:
                os.ftruncate(self._file, size)
            self._map = mmap.mmap(self._file, size)
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        self._map.close()
        os.close(self._file)

    def count(self, key: str) -> int:
        mark, places = self._places(key)
        return self._find(mark, places, self._now())[1]

    def add(self, key: str) -> int:
        mark, places = self._places(key)
        now_s = self._now()
        with self._lock():
            at, count, ends_s = self._find(mark, places, now_s)
            if not count:
                ends_s = now_s + self._window_s
            PLACE.pack_into(self._map, at, mark, ends_s, count + 1)
        return count + 1

    def renew(self, key: str) -> None:
        mark, places = self._places(key)
        now_s = self._now()
        with self._lock():
            at, _, _ = self._find(mark, places, now_s)
            PLACE.pack_into(self._map, at, mark, now_s + self._window_s, 1)

    def _places(self, key: str) -> tuple[int, list[int]]:
        """The key's hash, and where in the file it may stand."""
        octets = key.encode(errors="surrogateescape")
        digest = blake2b(octets, digest_size=8).digest()
        mark = int.from_bytes(digest, "little")
        first = mark % (PLACES // WAYS) * WAYS
        return mark, [(first + way) * PLACE.size for way in range(WAYS)]

    def _find(
        self, mark: int, places: list[int], now_s: float
    ) -> tuple[int, int, float]:
        """(place, failures, end of the window); of an unknown key the place that gives
        way.  A window that ends later than one from now may be is a torn one."""
        oldest, first_end = places[0], float("inf")
        for at in places:
            whose, ends_s, count = PLACE.unpack_from(self._map, at)
            live = now_s < ends_s <= now_s + self._window_s
            if whose == mark:
                return (at, count, ends_s) if live else (at, 0, 0.0)
            ends_s = ends_s if live else 0.0
            if ends_s < first_end:
                oldest, first_end = at, ends_s
        return oldest, 0, 0.0

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Nobody else adds meanwhile; a process that was stopped while it held the
        lock is not waited for: a failure that is not counted is the lesser harm."""
        for _ in range(TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                os.sched_yield()  # its holder may wait for this very processor
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
