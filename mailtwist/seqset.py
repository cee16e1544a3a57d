"""sequence-set (RFC 3501 §9) as ranges; never expanded to single numbers by accident.

`1:4294967295` is one range here, and joining n ranges costs n log n.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

STAR = 0xFFFF_FFFF + 1  # larger than every nz-number; stands for "*"


@frozen
class SequenceSet:
    """Sorted, disjoint, inclusive ranges of positive numbers.

    `STAR` as an end means "*": the largest number in use, whatever it is.  `saved`
    means "$", which only a session can read: what its last SEARCH with SAVE found
    (RFC 5182 §2.1); it has no ranges then.
    """

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> SequenceSet:
        """The set of these ranges, given in any order and either way round."""
        joined: list[tuple[int, int]] = []
        for low, high in sorted((min(r), max(r)) for r in ranges):
            if joined and low <= joined[-1][1] + 1:
                if high > joined[-1][1]:
                    joined[-1] = (joined[-1][0], high)
            else:
                joined.append((low, high))
        return cls(tuple(joined))

    @classmethod
    def of_numbers(cls, numbers: Iterable[int]) -> SequenceSet:
        """The set of these numbers, given in any order."""
        ranges: list[tuple[int, int]] = []
        start = last = 0
        for number in sorted(numbers):
            if last and number <= last + 1:
                last = number
                continue
            if last:
                ranges.append((start, last))
            start = last = number
        if last:
            ranges.append((start, last))
        return cls(tuple(ranges))

    def resolved(self, largest: int) -> SequenceSet:
        """The same set with "*" read as `largest` (0 if there is none).

        "*:5" with largest 3 is 3:5, and with nothing in use "*" is nothing.
        """
        if not self.ranges or self.ranges[-1][1] != STAR:
            return self
        if not largest:
            plain = [r for r in self.ranges if r[1] != STAR]
            return SequenceSet(tuple(plain))
        return SequenceSet.of(
            (largest if low == STAR else low, largest if high == STAR else high)
            for low, high in self.ranges
        )

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.ranges, (number, STAR + 1)) - 1
        return at >= 0 and self.ranges[at][0] <= number <= self.ranges[at][1]

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def within(self, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Half-open index ranges of the sorted `numbers` that are in this set.

        "*" is read as the last of `numbers`.
        """
        largest = numbers[-1] if numbers else 0
        for low, high in self.resolved(largest).ranges:
            start, stop = bisect_left(numbers, low), bisect_right(numbers, high)
            if start < stop:
                yield start, stop

    def pick(self, numbers: Sequence[int]) -> list[int]:
        """Those of the sorted `numbers` that are in this set, in order."""
        picked: list[int] = []
        for start, stop in self.within(numbers):
            picked.extend(numbers[start:stop])
        return picked

    def without(self, numbers: Sequence[int]) -> SequenceSet:
        """This set, which has no "*", less the sorted `numbers`."""
        left: list[tuple[int, int]] = []
        for low, high in self.ranges:
            for at in range(bisect_left(numbers, low), bisect_right(numbers, high)):
                if low < numbers[at]:
                    left.append((low, numbers[at] - 1))
                low = numbers[at] + 1
            if low <= high:
                left.append((low, high))
        return SequenceSet(tuple(left))

    def encode(self) -> bytes:
        """As it stands on the wire; the empty set has no such form."""
        if self.saved:
            return b"$"
        return b",".join(
            _end(low) if low == high else _end(low) + b":" + _end(high)
            for low, high in self.ranges
        )


def _end(number: int) -> bytes:
    return b"*" if number == STAR else b"%d" % number


SAVED = SequenceSet((), saved=True)
