"""Tests for mailtwist.service.quiet_work."""

from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.service.quiet_work import QuietWork


class Rounds(QuietWork):
    doing = "going round"

    def __init__(self):
        self.clock, self.rounds = Clock(), 0

    async def work(self):
        while True:
            await deferLater(self.clock, 1.0)
            self.rounds += 1
            if self.rounds == 3:
                raise ValueError("no more")


class QuietWorkTests(SynchronousTestCase):
    def test_it_goes_on_from_the_start_to_the_stop(self):
        rounds = Rounds()
        rounds.startService()
        rounds.clock.pump([1.0, 1.0])
        rounds.stopService()
        rounds.clock.pump([1.0, 1.0])
        self.assertEqual(rounds.rounds, 2)
        self.assertEqual(rounds.clock.getDelayedCalls(), [])

    def test_its_fault_is_told_and_ends_the_work_only(self):
        rounds = Rounds()
        rounds.startService()
        rounds.clock.pump([1.0] * 5)
        self.assertEqual(rounds.rounds, 3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertTrue(rounds.running)

    def test_there_may_be_nothing_to_do(self):
        nothing = QuietWork()
        nothing.startService()
        nothing.stopService()
        self.assertFalse(nothing.running)
