"""Threads that wait for files, databases and directories; a bounded number of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from ..errors import LookupFailed

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
        if not self._pool.started:
            self._pool.start()
        self._waiting += 1
        given_up = False

        def unless_given_up() -> Result:
            if given_up:
                raise LookupFailed()
            return work(*arguments)

        def cancelled(_: object) -> None:
            nonlocal given_up
            given_up = True

        def ended(result: Any) -> None:
            self._waiting -= 1
            if not given_up:
                answer.callback(result)
            if not self._waiting and self._idle is not None:
                self._idle.callback(None)

        answer: Deferred[Result] = Deferred(cancelled)
        deferToThreadPool(self._reactor, self._pool, unless_given_up).addBoth(ended)
        return answer

    async def close(self) -> None:
        """Waits for what runs; its time is bounded by its own timeouts."""
        self._closed = True
        if self._waiting and self._idle is None:
            self._idle = Deferred()
            await self._idle
        if self._pool.started:
            self._pool.stop()
