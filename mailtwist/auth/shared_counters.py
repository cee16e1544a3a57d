"""Counters that several processes share, in a file or in memory."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from ..shared_places import Places

PLACE = struct.Struct("<QdQ")  # hash of the key, end of its window, failures


class SharedCounters:
    """`now` is a clock that all processes share."""

    def __init__(
        self,
        descriptor: int,
        now: Callable[[], float],
        window_s: float,
        offset: int = 0,
    ) -> None:
        """The table at `offset` of an open file.  Raises OSError."""
        self._now, self._window_s = now, window_s
        self._places = Places(descriptor, offset)
        self._map = self._places.map

    @classmethod
    def at(cls, path: str, now: Callable[[], float], window_s: float) -> SharedCounters:
        """In a file of their own, which stays open.  Raises OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(path, flags, 0o600)
        try:
            return cls(file, now, window_s)
        except BaseException:
            os.close(file)
            raise

    def count(self, key: str) -> int:
        mark, places = self._places.of(key)
        return self._find(mark, places, self._now())[1]

    def add(self, key: str) -> int:
        mark, places = self._places.of(key)
        now_s = self._now()
        with self._places.lock(places[0]):
            at, count, ends_s = self._find(mark, places, now_s)
            if not count:
                ends_s = now_s + self._window_s
            PLACE.pack_into(self._map, at, mark, ends_s, count + 1)
        return count + 1

    def renew(self, key: str) -> None:
        mark, places = self._places.of(key)
        now_s = self._now()
        with self._places.lock(places[0]):
            at, _, _ = self._find(mark, places, now_s)
            PLACE.pack_into(self._map, at, mark, now_s + self._window_s, 1)

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
