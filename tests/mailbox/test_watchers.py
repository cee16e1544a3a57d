"""Watchers of a mailbox."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.watchers import Watchers


class WatchersTests(SynchronousTestCase):
    def test_each_is_told_until_it_ends_and_may_end_twice(self):
        watchers, told = Watchers(), []
        ends = [watchers.add(told.append) for _ in range(2)]
        watchers.tell(1)
        ends[0]()
        ends[0]()
        watchers.tell(2)
        self.assertEqual(told, [1, 1, 2])
        ends[1]()
        self.assertFalse(watchers)

    def test_one_that_fails_does_not_keep_it_from_the_others(self):
        watchers, told = Watchers(), []
        watchers.add(lambda modseq: 1 / 0)
        watchers.add(told.append)
        watchers.tell(3)
        self.assertEqual(told, [3])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
