"""Threads that wait for files, databases and directories; a bounded number of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.threadpool import ThreadPool

from ..errors import LookupFailed
from ..given_up import in_pool

MOST_WAITING = 500  # questions for which no thread is free yet

Result = TypeVar("Result")


class TablePool:
    """See Twisted's ThreadPool; started when first used."""

    def __init__(self, reactor: Any, name: str, threads: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, threads, f"mailtwist-{name}")
        self._waiting, self._closed = 0, False
        self._idle: Deferred[None] | None = None

    def run(self, work: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """What `work` gives; LookupFailed if too many wait, or after `close`.

        A question whose asker gave up (cancelled) before its turn is not asked; it
        counts as waiting until then."""
        if self._closed or self._waiting >= MOST_WAITING:
            return fail(LookupFailed())
        self._waiting += 1
        return in_pool(
            self._reactor,
            self._pool,
            lambda: work(*arguments),
            fault=LookupFailed,
            ended=self._ended,
        )

    def _ended(self) -> None:
        self._waiting -= 1
        if not self._waiting and self._idle is not None:
            # Whoever asked last has the answer before the threads end.
            self._reactor.callLater(0, self._idle.callback, None)

    async def close(self) -> None:
        """Waits for what runs; its time is bounded by its own timeouts."""
        self._closed = True
        if self._waiting and self._idle is None:
            self._idle = Deferred()
            await self._idle
        if self._pool.started:
            self._pool.stop()
