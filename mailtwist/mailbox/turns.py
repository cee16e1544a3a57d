"""Long work over a mailbox in slices, so that others get a turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

Pause = Callable[[], Awaitable[None]]

SLICE_US = 5000.0  # work after which others get a turn
CHUNK = 500  # messages whose cached columns are asked for at once


class Turns:
    """`pause` is awaited about every 5 ms of work that `spent` is told of."""

    def __init__(self, pause: Pause) -> None:
        self._pause, self._left_us = pause, SLICE_US

    async def spent(self, us: float) -> None:
        self._left_us -= us
        if self._left_us <= 0:
            self._left_us = SLICE_US
            await self._pause()


def chunks(ordered: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(ordered), CHUNK):
        yield ordered[at : at + CHUNK]
