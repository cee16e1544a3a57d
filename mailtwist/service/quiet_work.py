"""Work that goes on beside the serving of clients, from the start to the stop."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

log = Logger("mailtwist")


class QuietWork(Service):
    """Does `work()` while the service runs; a stop cancels it where it waits.

    What it raises ends the work, not the server, and is told as a fault in `doing`."""

    doing = ""  # for the log
    _begun: Deferred[None] | None = None

    def work(self) -> Coroutine[Any, Any, None] | None:
        """What is to be done from the start on; None if nothing is, for now."""
        return None

    def startService(self) -> None:
        super().startService()
        work = self.work()
        if work is not None:
            self.begin(work)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this; what was begun before has ended."""
        self._begun = Deferred.fromCoroutine(work)
        self._begun.addErrback(self._ended)

    def stopService(self) -> Deferred[None] | None:
        if self._begun is not None:
            self._begun.cancel()
        stopped: Deferred[None] | None = super().stopService()
        return stopped

    def _ended(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            log.failure("{doing}", failure, doing=self.doing)
