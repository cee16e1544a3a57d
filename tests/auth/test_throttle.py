"""Tests for mailtwist.auth.throttle."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth import counters
from mailtwist.auth.throttle import (
    LATELY_S,
    LOCAL,
    MOST_NETWORK_DELAY_S,
    WINDOW_S,
    Throttle,
    network_of,
)
from mailtwist.config.model import Auth
from mailtwist.errors import AuthThrottled

HOME, OFFICE, EVIL = "192.0.2.1", "2001:db8::1", "203.0.113.9"
ANN, BOB = "ann@example.test", "bob@example.test"
STEP = st.tuples(
    st.sampled_from(["fail", "login", "wait"]),
    st.sampled_from([HOME, OFFICE, EVIL, "local"]),
    st.sampled_from([ANN, BOB]),
)


class ThrottleTestCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.config = Auth(failure_delay_s=1.0, most_delay_s=5.0)
        self.throttle = Throttle(self.config, self.clock.seconds)

    def fail_often(self, address, user, times):
        return [self.throttle.failed(address, user) for _ in range(times)]

    def many_hosts(self, times):
        return (f"198.51.{n // 256}.{n % 256}" for n in range(times))


class AccountTests(ThrottleTestCase):
    def test_the_delay_doubles_up_to_five_seconds(self):
        delays = [self.throttle.failed(address, ANN) for address in self.many_hosts(6)]
        self.assertEqual(delays, [1, 2, 4, 5, 5, 5])

    def test_a_network_that_the_account_knows_does_not_pay_for_others(self):
        self.throttle.succeeded(HOME, ANN)
        for address in self.many_hosts(40):
            self.throttle.failed(address, ANN)
        self.assertEqual(self.fail_often(HOME, ANN, 2), [1, 2], "its own typing errors")
        self.assertEqual(self.throttle.failed(OFFICE, ANN), 5)

    def test_a_network_is_known_only_to_the_account_that_logged_in(self):
        self.throttle.succeeded(HOME, BOB)
        for address in self.many_hosts(40):
            self.throttle.failed(address, ANN)
        self.assertEqual(self.throttle.failed(HOME, ANN), 5)

    def test_an_account_is_never_refused_for_guesses_from_elsewhere(self):
        for address in self.many_hosts(1000):
            self.throttle.failed(address, ANN)
        for address in (HOME, OFFICE, LOCAL):
            self.throttle.admit(address, ANN)

    def test_a_network_is_known_for_a_month(self):
        self.throttle.succeeded(HOME, ANN)
        self.clock.advance(LATELY_S - 1)
        self.fail_often(EVIL, ANN, 40)
        self.assertEqual(self.throttle.failed(HOME, ANN), 1)
        self.clock.advance(1)
        self.assertEqual(self.throttle.failed(HOME, ANN), 5)

    def test_failures_are_forgotten_after_an_hour(self):
        self.fail_often(EVIL, ANN, 9)
        self.clock.advance(WINDOW_S)
        self.assertEqual(self.throttle.failed(EVIL, ANN), 1)

    def test_a_login_does_not_help_somebody_else_who_guesses(self):
        self.fail_often(EVIL, ANN, 9)
        self.throttle.succeeded(HOME, ANN)
        self.assertEqual(self.throttle.failed(OFFICE, ANN), 5)


class NetworkTests(ThrottleTestCase):
    def test_a_network_is_refused_for_the_rest_of_the_hour(self):
        for number in range(self.config.failures_per_network):
            self.throttle.admit(EVIL, ANN)
            self.throttle.failed(EVIL, f"user{number}@example.test")
        self.assertRaises(AuthThrottled, self.throttle.admit, EVIL, ANN)
        self.throttle.admit(HOME, ANN)
        self.clock.advance(WINDOW_S - 1)
        self.assertRaises(AuthThrottled, self.throttle.admit, EVIL, ANN)
        self.clock.advance(1)
        self.throttle.admit(EVIL, ANN)

    def test_who_lately_logged_in_there_is_not_refused_for_a_neighbour(self):
        self.throttle.succeeded(OFFICE, ANN)
        self.fail_often(OFFICE, BOB, self.config.failures_per_network)
        self.assertRaises(AuthThrottled, self.throttle.admit, OFFICE, BOB)
        self.throttle.admit(OFFICE, ANN)

    def test_a_known_network_that_guesses_itself_is_refused(self):
        self.throttle.succeeded(OFFICE, ANN)
        self.fail_often(OFFICE, ANN, self.config.failures_per_network)
        self.assertRaises(AuthThrottled, self.throttle.admit, OFFICE, ANN)
        self.throttle.admit(HOME, ANN)

    def test_a_valid_account_of_its_own_does_not_clear_a_guesser(self):
        self.fail_often(EVIL, ANN, self.config.failures_per_network - 1)
        self.throttle.succeeded(EVIL, BOB)
        self.throttle.failed(EVIL, ANN)
        self.assertRaises(AuthThrottled, self.throttle.admit, EVIL, ANN)

    def test_before_a_name_is_said_only_networks_of_strangers_are_refused(self):
        for address in (EVIL, OFFICE):
            self.fail_often(address, ANN, self.config.failures_per_network)
        self.throttle.succeeded(OFFICE, BOB)
        self.throttle.admit(OFFICE, "")
        self.assertRaises(AuthThrottled, self.throttle.admit, EVIL, "")
        self.throttle.admit(LOCAL, "")

    def test_an_IPv6_host_does_not_escape_within_its_network(self):
        for number in range(self.config.failures_per_network):
            self.throttle.failed(f"2001:db8:0:1::{number:x}", ANN)
        self.assertRaises(AuthThrottled, self.throttle.admit, "2001:db8:0:1::ffff", ANN)
        self.throttle.admit("2001:db8:0:2::1", ANN)

    def test_a_unix_socket_is_never_refused(self):
        self.fail_often(LOCAL, ANN, 500)
        self.throttle.admit(LOCAL, ANN)

    def test_networks(self):
        for address, want in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002::/64"),
            ("fe80::1%eth0", "fe80:0000:0000:0000::/64"),
            ("local", LOCAL),
            ("", LOCAL),
        ]:
            self.assertEqual(network_of(address), want)

    def test_memory_is_bounded(self):
        self.patch(counters, "MOST_ENTRIES", 10)
        self.throttle = Throttle(self.config, self.clock.seconds)
        for address in self.many_hosts(50):
            self.throttle.failed(address, f"{address}@example.test")
            self.throttle.succeeded(address, ANN)
        tables = (
            self.throttle._networks,
            self.throttle._accounts,
            self.throttle._known,
        )
        self.assertEqual([len(table) for table in tables], [10, 10, 10])

    @given(st.lists(STEP, max_size=60))
    @settings(deadline=None)
    def test_whatever_happens_delays_are_bounded(self, steps):
        clock = Clock()
        slow = Throttle(self.config, clock.seconds)
        logged_in = set()
        for what, address, user in steps:
            if what == "wait":
                clock.advance(600)
            elif what == "login":
                slow.succeeded(address, user)
                logged_in.add((network_of(address), user))
            else:
                delay = slow.failed(address, user)
                self.assertTrue(0 < delay <= MOST_NETWORK_DELAY_S)
                if address == "local" and (address, user) not in logged_in:
                    self.assertLessEqual(delay, 5)
