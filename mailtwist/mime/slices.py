"""Work on large messages that can be left now and then, so that others get a turn.

Such work is a generator that yields after each slice and returns its result: a caller
with a reactor lets it wait between two slices, everybody else takes it in one go.
"""

from __future__ import annotations

import mmap
from collections.abc import Generator
from typing import TypeVar

SLICE_OCTETS = 1 << 20  # looked at before others may have a turn; about 1 ms

Buffer = bytes | mmap.mmap
Result = TypeVar("Result")
Sliced = Generator[None, None, Result]


def in_one_go(work: Sliced[Result]) -> Result:
    """What `work` returns, without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: Result = done.value
            return result


def find(buffer: Buffer, needle: bytes, start: int, end: int) -> Sliced[int]:
    """The place of `needle` in buffer[start:end], or -1."""
    while end - start > SLICE_OCTETS:
        at = buffer.find(needle, start, start + SLICE_OCTETS + len(needle) - 1)
        if at >= 0:
            return at
        start += SLICE_OCTETS
        yield
    return buffer.find(needle, start, end)


def line_ends(buffer: Buffer, start: int, end: int) -> Sliced[int]:
    """How many LF there are in buffer[start:end]."""
    total = 0
    while end - start > SLICE_OCTETS:
        total += buffer[start : start + SLICE_OCTETS].count(b"\n")
        start += SLICE_OCTETS
        yield
    return total + buffer[start:end].count(b"\n")
