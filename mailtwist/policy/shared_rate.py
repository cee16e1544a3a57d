"""A rate that several processes keep together; see `rate.Rate`."""

from __future__ import annotations

import struct
from collections.abc import Callable

from ..shared_places import Places

PLACE = struct.Struct("<Qdd")  # hash of the key, what was left in its bucket, and when


class SharedRate:
    """`now` is a clock that all processes share; the table is at `offset` of a file."""

    def __init__(
        self,
        limit: int,
        span_s: float,
        now: Callable[[], float],
        descriptor: int,
        offset: int,
    ) -> None:
        """Raises OSError."""
        self.limit, self._span_s, self._now = limit, span_s, now
        self._places = Places(descriptor, offset)
        self._map = self._places.map

    def take(self, key: str) -> bool:
        """See Rate."""
        if not self.limit:
            return True
        mark, places = self._places.of(key)
        now_s = self._now()
        with self._places.lock(places[0]):
            at, left = self._find(mark, places, now_s)
            within = left >= 1.0
            PLACE.pack_into(self._map, at, mark, left - 1.0 if within else left, now_s)
        return within

    def _find(self, mark: int, places: list[int], now_s: float) -> tuple[int, float]:
        """(place, what is left in the bucket); of an unknown key the place that gives
        way, and a full bucket."""
        limit = float(self.limit)
        oldest, first = places[0], float("inf")
        for at in places:
            whose, left, then_s = PLACE.unpack_from(self._map, at)
            if whose == mark:
                if not 0.0 <= left <= limit or not then_s <= now_s:  # torn
                    return at, limit
                passed = (now_s - then_s) * limit / self._span_s
                return at, min(limit, left + passed)
            if not then_s <= now_s:
                then_s = 0.0
            if then_s < first:
                oldest, first = at, then_s
        return oldest, limit
