"""The store with no reactor and no threads: every call is done when it returns.

For tests that end the process at a chosen system call, which one thread makes exact.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from mailtwist.config.model import Config
from mailtwist.config.reading import Imap4
from mailtwist.config.searching import Search
from mailtwist.store.local import LocalStore
from mailtwist.store.maildir.spool import Spooler
from mailtwist.store.maildir.store import MaildirStore
from mailtwist.store.maildir.writer import MaildirWriter


class InlineWriter(MaildirWriter):
    def _enqueue(self, request):
        self._commit([job for job in request.jobs if job.fault is None])
        self._answer([request])


class InlineSpooler(Spooler):
    def defer(self, work, *arguments):
        return deferLater(self.reactor, 0, work, *arguments)  # a spool counts on later


class Inline:
    """Comes before a store."""

    def __init__(self, special_uses=(), **sections):
        self.clock = Clock()
        config = Config(
            imap4=Imap4(special_uses=special_uses),
            search=Search(index="off"),
            **sections,
        )
        super().__init__(reactor=self.clock, config=config, hostname="mx.test")
        self.writer = InlineWriter(self.clock, "fsync")
        self.spooler = InlineSpooler(self.clock, config.delivery.memory_octets)
        self._delivery.writer, self._delivery.spooler = self.writer, self.spooler

    def defer(self, work, *arguments):
        return execute(work, *arguments)

    def now(self, coroutine):
        """What the coroutine gives, after all that it waits for."""
        results = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        while not results:
            if not self.clock.getDelayedCalls():
                raise AssertionError("waits for nothing")
            self.clock.advance(0.01)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]


class InlineStore(Inline, MaildirStore):
    """Of Maildirs alone."""


class InlineLocalStore(Inline, LocalStore):
    """Of mbox files too."""
