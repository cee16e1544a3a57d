"""Long work over a mailbox in slices, so that others get a turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

Pause = Callable[[], Awaitable[None]]
T = TypeVar("T")

SLICE_US = 5000.0  # work after which others get a turn
CHUNK = 500  # messages whose cached columns are asked for at once
RUN = 5000  # sorted at once


class Turns:
    """`pause` is awaited about every 5 ms of work that `spent` is told of."""

    def __init__(self, pause: Pause) -> None:
        self._pause, self._left_us = pause, SLICE_US

    async def spent(self, us: float) -> None:
        self._left_us -= us
        if self._left_us <= 0:
            self._left_us = SLICE_US
            await self._pause()

    async def sort(
        self, items: list[T], key: Callable[[T], Any], *, reverse: bool = False
    ) -> None:
        """As list.sort, in place: by runs, whose merging in the end is quick."""
        for at in range(0, len(items), RUN):
            run = sorted(items[at : at + RUN], key=key, reverse=reverse)
            items[at : at + RUN] = run
            await self.spent(len(run))
        items.sort(key=key, reverse=reverse)


def chunks(ordered: list[T]) -> Iterator[list[T]]:
    for at in range(0, len(ordered), CHUNK):
        yield ordered[at : at + CHUNK]
