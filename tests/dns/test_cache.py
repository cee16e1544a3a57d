"""Answers kept, and look-ups joined."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.dns.cache import Cache, Flights
from mailtwist.errors import DnsUnavailable


class CacheTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.cache = Cache(2, self.clock.seconds)

    def test_a_value_holds_for_its_time(self):
        self.cache.put("a", 1, 10)
        self.clock.advance(9)
        self.assertEqual(self.cache.get("a"), (1, 1))
        self.clock.advance(1)
        self.assertIsNone(self.cache.get("a"))
        self.assertEqual(len(self.cache), 0)

    def test_the_longest_unused_goes_first(self):
        self.cache.put("a", 1, 10)
        self.cache.put("b", 2, 10)
        self.cache.get("a")
        self.cache.put("c", 3, 10)
        self.assertEqual(
            [bool(self.cache.get(key)) for key in "abc"], [True, False, True]
        )

    def test_what_has_no_time_is_not_kept_and_ends_what_was(self):
        self.cache.put("a", 1, 10)
        self.cache.put("a", 2, 0)
        self.assertIsNone(self.cache.get("a"))

    def test_a_cache_of_no_size_keeps_nothing(self):
        cache = Cache(0, self.clock.seconds)
        cache.put("a", 1, 10)
        self.assertIsNone(cache.get("a"))


class FlightTests(SynchronousTestCase):
    def setUp(self):
        self.flights, self.started = Flights(), []

    def join(self, key="k"):
        async def work():
            landing = Deferred()
            self.started.append(landing)
            return await landing

        return self.flights.join(key, work)

    def test_equal_work_is_done_once(self):
        both = [self.join(), self.join()]
        self.assertEqual(len(self.started), 1)
        self.started[0].callback("done")
        self.assertEqual([self.successResultOf(one) for one in both], ["done"] * 2)

    def test_different_keys_fly_apart(self):
        self.join("a"), self.join("b")
        self.assertEqual(len(self.started), 2)

    def test_a_fault_reaches_everyone(self):
        both = [self.join(), self.join()]
        self.started[0].errback(DnsUnavailable())
        for one in both:
            self.failureResultOf(one, DnsUnavailable)

    def test_after_landing_it_starts_anew(self):
        self.join()
        self.started[0].callback(1)
        self.join()
        self.assertEqual(len(self.started), 2)

    def test_work_that_is_done_at_once_leaves_nothing_behind(self):
        async def work():
            return 1

        self.assertEqual(self.successResultOf(self.flights.join("k", work)), 1)
        self.assertEqual(self.successResultOf(self.flights.join("k", work)), 1)

    def test_one_who_gives_up_does_not_take_the_others_with_him(self):
        first, second = self.join(), self.join()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.started[0].callback(1)
        self.assertEqual(self.successResultOf(second), 1)

    def test_the_last_who_gives_up_ends_the_work(self):
        one = self.join()
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertTrue(self.started[0].called)
        again = self.join()
        self.assertEqual(len(self.started), 2)
        self.started[1].callback(2)
        self.assertEqual(self.successResultOf(again), 2)

    def test_cancel_ends_everything(self):
        waits = [self.join("a"), self.join("a"), self.join("b")]
        self.flights.cancel()
        for wait in waits:
            self.failureResultOf(wait, CancelledError)
