"""Rates of clients and logins."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.restricting import Restrictions
from mailtwist.policy import rate
from mailtwist.policy.faults import TooFast
from mailtwist.policy.rate import Rate, Rates


class RateTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()

    def test_a_burst_up_to_the_limit_passes_and_more_comes_back_with_time(self):
        made = Rate(6, 60.0, self.clock.seconds)
        self.assertEqual([made.take("a") for _ in range(8)], [True] * 6 + [False] * 2)
        self.clock.advance(10)
        self.assertEqual([made.take("a") for _ in range(2)], [True, False])
        self.assertTrue(made.take("b"))
        self.clock.advance(3600)
        self.assertEqual([made.take("a") for _ in range(7)], [True] * 6 + [False])

    def test_no_limit_keeps_nothing(self):
        made = Rate(0, 60.0, self.clock.seconds)
        self.assertTrue(all(made.take(str(n)) for n in range(100)))
        self.assertEqual(len(made), 0)

    def test_memory_is_bounded_and_the_busy_ones_stay(self):
        self.patch(rate, "MOST_KEYS", 10)
        made = Rate(1, 60.0, self.clock.seconds)
        made.take("busy")
        for number in range(100):
            made.take(str(number))
            self.assertFalse(made.take("busy"))
        self.assertEqual(len(made), 10)

    @given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 10))
    def test_in_no_span_pass_more_than_twice_the_limit(self, waits, limit):
        clock, passed = Clock(), []
        made = Rate(limit, 60.0, clock.seconds)
        for wait in waits:
            clock.advance(wait)
            if made.take("a"):
                passed.append(clock.seconds())
        for start in passed:
            inside = [at for at in passed if start <= at < start + 60.0]
            self.assertLessEqual(len(inside), 2 * limit)


class RatesTests(SynchronousTestCase):
    def test_clients_are_networks_and_logins_are_names(self):
        made = Rates(
            Restrictions(messages_per_minute=1, login_messages_per_hour=2),
            Clock().seconds,
        )
        made.message("2001:db8::1", "")
        self.assertRaises(TooFast, made.message, "2001:db8::2", "")
        made.message("2001:db8:0:1::1", "")
        for _ in range(2):
            made.message("2001:db8::1", "ann")
        self.assertRaises(TooFast, made.message, "192.0.2.1", "ann")

    def test_addresses_of_a_client_that_count_as_one(self):
        for address, told in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:0db8:0000:0000::/64"),
            ("fe80::1%eth0", "fe80:0000:0000:0000::/64"),
            ("local", "local"),
        ):
            self.assertEqual(rate.network(address), told)
