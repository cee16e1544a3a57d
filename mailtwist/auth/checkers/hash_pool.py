"""Threads that compute hashes, with a queue that is never long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.threadpool import ThreadPool

from ...errors import AuthUnavailable, SystemBusy
from ...given_up import in_pool

MOST_WAITING = 200  # for each thread: some 5 s at 25 ms a hash


class HashPool:
    """Runs functions that release the GIL; as many at once as there are threads.

    A caller who gave up (cancelled) while waiting costs no hash.
    """

    def __init__(self, reactor: Any, threads: int) -> None:
        self._reactor, self._threads = reactor, threads
        self._pool = ThreadPool(0, threads, "mailtwist-password")
        self._waiting, self._refusing = 0, False

    def run(self, work: Callable[[], Any], *, promised: bool = False) -> Deferred[Any]:
        """What `work` gives.  Fails with SystemBusy if too many wait already,
        AuthUnavailable when the server stops - unless it is `promised`: what waits
        then is still done."""
        if self._refusing:
            return fail(AuthUnavailable())
        if self._waiting >= MOST_WAITING * self._threads:
            return fail(SystemBusy())
        self._waiting += 1
        return in_pool(
            self._reactor,
            self._pool,
            work,
            fault=AuthUnavailable,
            refused=lambda: self._refusing and not promised,
            ended=self._ended,
        )

    def _ended(self) -> None:
        self._waiting -= 1

    def refuse(self) -> None:
        """Begin no further work."""
        self._refusing = True

    def stop(self) -> None:
        """Wait for the hashes that are being computed, and end the threads."""
        self.refuse()
        if self._pool.started:
            self._pool.stop()
