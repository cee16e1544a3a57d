"""Tests for mailtwist.auth.checkers.hash_pool."""

import threading

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults
from twisted.trial.unittest import TestCase

from mailtwist.auth.checkers import hash_pool
from mailtwist.auth.checkers.hash_pool import HashPool
from mailtwist.errors import AuthUnavailable, SystemBusy


class HashPoolTests(TestCase):
    def setUp(self):
        self.patch(hash_pool, "MOST_WAITING", 3)
        self.pool = HashPool(reactor, 1)
        self.addCleanup(self.pool.stop)
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
        self.failureResultOf(self.begun("more"), SystemBusy)
        self.go.set()
        self.assertEqual(await gatherResults(waiting), [0, 1, 2])
        self.assertEqual(await self.begun("later"), "later")

    async def test_who_gives_up_while_waiting_costs_no_hash(self):
        first, given_up, last = map(self.begun, ("first", "given up", "last"))
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.go.set()
        await gatherResults([first, last])
        self.assertEqual(self.done, ["first", "last"])

    async def test_faults_come_back(self):
        with self.assertRaises(ZeroDivisionError):
            await self.pool.run(lambda: 1 / 0)

    async def test_what_did_not_begin_when_it_stops_is_refused(self):
        first, second = self.begun("first"), self.begun("second")
        self.pool.refuse()
        self.go.set()
        await self.assertFailure(second, AuthUnavailable)
        self.failureResultOf(self.begun("third"), AuthUnavailable)
        with_luck = await first.addErrback(
            lambda failure: failure.check(AuthUnavailable)
        )
        self.assertIn(with_luck, ("first", AuthUnavailable))
