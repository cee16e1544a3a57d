"""Tests for mailtwist.tables.pool."""

import threading

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailtwist.errors import LookupFailed
from mailtwist.tables import pool
from mailtwist.tables.pool import TablePool


class TablePoolTests(TestCase):
    def setUp(self):
        self.patch(pool, "MOST_WAITING", 3)
        self.pool = TablePool(reactor, "test", 1)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.pool.close()))
        self.go, self.done = threading.Event(), []
        self.addCleanup(self.go.set)

    def begun(self, name):
        def work():
            self.go.wait(10)
            self.done.append(name)
            return name

        return self.pool.run(work)

    async def test_too_many_are_told_to_come_back(self):
        waiting = [self.begun(name) for name in range(3)]
        self.failureResultOf(self.begun("more"), LookupFailed)
        self.go.set()
        self.assertEqual(await gatherResults(waiting), [0, 1, 2])
        self.assertEqual(await self.begun("later"), "later")

    async def test_who_gives_up_is_not_asked_for_and_makes_no_room_before(self):
        first, given_up, last = map(self.begun, ("first", "given up", "last"))
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.failureResultOf(self.begun("more"), LookupFailed)
        self.go.set()
        self.assertEqual(await gatherResults([first, last]), ["first", "last"])
        self.assertEqual(self.done, ["first", "last"])

    async def test_what_runs_at_the_end_is_waited_for(self):
        running = self.begun("running")
        closing = Deferred.fromCoroutine(self.pool.close())
        self.assertNoResult(closing)
        self.failureResultOf(self.begun("late"), LookupFailed)
        self.go.set()
        await closing
        self.assertEqual(self.successResultOf(running), "running")
