"""How many of something each worker has, in memory that all of them see.

Each worker writes in a region of its own, so nobody waits for a lock; when it ends,
however it ends, its region is emptied and what it had counts no more.
"""

from __future__ import annotations

import mmap
import struct
from collections import Counter

from ..shared_places import mark_of

REGIONS = 256  # workers that live at the same time, those that are being replaced too
SLOTS, WAYS = 2048, 8  # of a region; places of one key
SLOT = struct.Struct("<QII")  # hash of the key, how many, nothing
WORD = struct.Struct("<I")
PAIR = struct.Struct("<II")  # 1 if it serves, connections
PAGE = 4096
HEADS = PAGE  # behind the page that tells how many regions were ever used
REGION = SLOTS * SLOT.size
FIRST = HEADS + PAGE
SIZE = FIRST + REGIONS * REGION


class Regions:
    """The master's view: who has which region."""

    def __init__(self, descriptor: int, offset: int = 0) -> None:
        self._map = mmap.mmap(descriptor, SIZE, offset=offset)
        self._used: set[int] = set()

    def take(self) -> int:
        """An empty region; raises OSError if there is none."""
        free = next((n for n in range(REGIONS) if n not in self._used), None)
        if free is None:
            raise OSError("too many workers")
        self._used.add(free)
        known = WORD.unpack_from(self._map, 0)[0]
        WORD.pack_into(self._map, 0, max(known, free + 1))
        return free

    def free(self, region: int) -> None:
        """Its worker has ended."""
        self._used.discard(region)
        PAIR.pack_into(self._map, HEADS + region * PAIR.size, 0, 0)
        start = FIRST + region * REGION
        self._map[start : start + REGION] = bytes(REGION)


class Tally:
    """A worker's view; see policy.rate.Entered."""

    def __init__(self, descriptor: int, region: int, offset: int = 0) -> None:
        self._map = mmap.mmap(descriptor, SIZE, offset=offset)
        self._region = region
        self._mine = Counter[str]()
        self._at: dict[str, int] = {}  # where in the map a key of ours stands
        self._serves = self._connections = 0

    # -- connections ------------------------------------------------------------------

    def serve(self, serves: bool) -> None:
        """We take connections, or no more."""
        self._serves = int(serves)
        self._tell()

    def connected(self, connections: int) -> None:
        """So many we have."""
        self._connections = connections
        self._tell()

    def _tell(self) -> None:
        at = HEADS + self._region * PAIR.size
        PAIR.pack_into(self._map, at, self._serves, self._connections)

    def _others(self) -> list[tuple[int, int]]:
        """(1 if it serves, its connections) of all other workers."""
        (known,) = WORD.unpack_from(self._map, 0)
        heads = PAIR.iter_unpack(self._map[HEADS : HEADS + known * PAIR.size])
        return [head for n, head in enumerate(heads) if n != self._region]

    def connections(self) -> int:
        """Of all workers."""
        return self._connections + sum(count for _, count in self._others())

    def has_most(self) -> bool:
        """True if another that serves has fewer connections than we."""
        mine = self._connections
        return any(serves and count < mine for serves, count in self._others())

    # -- keys -------------------------------------------------------------------------

    def count(self, key: str) -> int:
        """Of all workers."""
        (known,) = WORD.unpack_from(self._map, 0)
        found, mark = self._mine[key], mark_of(key)
        for region in range(known):
            if region == self._region:
                continue
            for at in self._places(region, mark):
                whose, count, _ = SLOT.unpack_from(self._map, at)
                if whose == mark:
                    found += count
        return found

    def add(self, key: str) -> None:
        self._mine[key] += 1
        self._write(key)

    def remove(self, key: str) -> None:
        self._mine[key] -= 1
        self._write(key)

    def _write(self, key: str) -> None:
        """A key that finds no place is known to us alone."""
        mark, count, at = mark_of(key), self._mine[key], self._at.get(key)
        if count <= 0:
            del self._mine[key]
            if at is not None:
                del self._at[key]
                SLOT.pack_into(self._map, at, 0, 0, 0)
            return
        if at is None:
            for at in self._places(self._region, mark):
                if not SLOT.unpack_from(self._map, at)[0]:
                    self._at[key] = at
                    break
            else:
                return
        SLOT.pack_into(self._map, at, mark, count, 0)

    @staticmethod
    def _places(region: int, mark: int) -> list[int]:
        start = FIRST + region * REGION
        first = mark % (SLOTS // WAYS) * WAYS
        return [start + (first + way) * SLOT.size for way in range(WAYS)]
