"""Tests for mailtwist.auth.throttle."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth import counters
from mailtwist.auth.throttle import (
    ACCOUNT_STEP,
    LATELY_S,
    LOCAL,
    MOST_NETWORK_DELAY_S,
    NEIGHBOURS,
    WIDE_STEP,
    WINDOW_S,
    Throttle,
    origin_of,
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

    def test_an_IPv6_host_is_refused_before_its_neighbours(self):
        self.fail_often("2001:db8:0:1::bad", ANN, self.config.failures_per_network)
        self.assertRaises(AuthThrottled, self.throttle.admit, "2001:db8:0:1::bad", ANN)
        self.throttle.admit("2001:db8:0:1::1", ANN)

    def test_an_IPv6_host_does_not_escape_within_its_network(self):
        for number in range(NEIGHBOURS * self.config.failures_per_network):
            self.throttle.admit(f"2001:db8:0:1::{number:x}", ANN)
            self.throttle.failed(f"2001:db8:0:1::{number:x}", ANN)
        self.assertRaises(AuthThrottled, self.throttle.admit, "2001:db8:0:1::ffff", ANN)
        self.throttle.admit("2001:db8:0:2::1", ANN)

    def test_a_new_address_in_an_IPv6_network_pays_for_the_ones_before(self):
        for number, want in enumerate([1, 2, 4, 8, 10, 10]):
            address, user = f"2001:db8:0:1::{number:x}", f"user{number}"
            self.assertEqual(self.throttle.failed(address, user), want)

    def test_a_unix_socket_is_never_refused(self):
        self.fail_often(LOCAL, ANN, 500)
        self.throttle.admit(LOCAL, ANN)

    def test_origins(self):
        for address, *want in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.0/24"),
            (
                *("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"),
                *("2001:db8:1:2::/64", "2001:db8:1::/48"),
            ),
            ("fe80::1%eth0", "fe80::1", "fe80::/64", "fe80::/48"),
            ("local", LOCAL, LOCAL, ""),
            ("", LOCAL, LOCAL, ""),
        ]:
            found = origin_of(address)
            self.assertEqual([found.single, found.near, found.wide], want)
        self.assertEqual(origin_of("192.0.2.1", 16).wide, "192.0.0.0/16")
        self.assertEqual(origin_of("192.0.2.1", 32).wide, "")

    def test_memory_is_bounded(self):
        self.patch(counters, "MOST_ENTRIES", 10)
        self.throttle = Throttle(self.config, self.clock.seconds)
        for number in range(50):
            address = f"2001:db8:{number:x}::1"
            self.throttle.failed(address, f"{number}@example.test")
            self.throttle.succeeded(address, ANN)
        tables = (
            self.throttle._networks,
            self.throttle._wide,
            self.throttle._accounts,
            self.throttle._known,
        )
        self.assertEqual([len(table) for table in tables], [10, 10, 10, 10])

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
                logged_in.add((origin_of(address).near, user))
            else:
                self.assertTrue(0 <= slow.admit(address, user) <= 5)
                delay = slow.failed(address, user)
                self.assertTrue(0 < delay <= MOST_NETWORK_DELAY_S)
                if address == "local" and (address, user) not in logged_in:
                    self.assertLessEqual(delay, 5)


class StrangersTests(ThrottleTestCase):
    """Who has never logged in waits before the password is looked at."""

    def spray(self, times, start=0):
        """One guess each, at another account and from another wide network."""
        for number in range(start, start + times):
            address = f"198.{number % 256}.{number // 256}.1"
            self.throttle.failed(address, f"user{number}@example.test")

    def test_nobody_waits_while_little_is_guessed(self):
        self.spray(self.config.failures_per_server - ACCOUNT_STEP)
        self.fail_often(EVIL, BOB, ACCOUNT_STEP - 1)
        self.assertEqual(self.throttle.admit(HOME, ANN), 0)
        self.assertEqual(self.throttle.admit(EVIL, BOB), 0)

    def test_a_spray_over_accounts_from_many_networks_makes_strangers_wait(self):
        waits, each = [], self.config.failures_per_server
        for number in range(7):
            self.spray(each, number * each)
            waits.append(self.throttle.admit(HOME, ANN))
        self.assertEqual(waits, [1, 2, 3, 4, 5, 5, 5])

    def test_it_is_over_after_an_hour(self):
        self.spray(500)
        self.clock.advance(WINDOW_S)
        self.assertEqual(self.throttle.admit(HOME, ANN), 0)

    def test_where_somebody_has_logged_in_nobody_waits_for_a_spray(self):
        self.throttle.succeeded(HOME, BOB)
        self.spray(500)
        self.assertEqual(self.throttle.admit(HOME, ANN), 0)
        self.assertEqual(self.throttle.admit(LOCAL, ANN), 0)

    def test_strangers_in_a_wide_network_pay_for_it(self):
        for evil, near, far in [
            ("203.0.113.{}", "203.0.113.250", "203.0.114.1"),
            ("2001:db8:7:{}::1", "2001:db8:7:ffff::2", "2001:db8:8::1"),
        ]:
            for number in range(2 * WIDE_STEP):
                self.throttle.failed(evil.format(number), f"{evil}{number}")
            self.assertEqual(self.throttle.admit(near, ANN), 2)
            self.assertEqual(self.throttle.admit(far, ANN), 0)

    def test_who_came_from_the_wide_network_before_does_not_pay_for_it(self):
        self.throttle.succeeded("203.0.113.1", ANN)
        for number in range(2, 100):
            self.throttle.failed(f"203.0.113.{number}", ANN)
        self.assertEqual(self.throttle.admit("203.0.113.250", ANN), 0)
        self.assertEqual(self.throttle.admit("203.0.113.250", BOB), 5)

    def test_an_account_that_is_guessed_at_makes_strangers_wait(self):
        self.throttle.succeeded(HOME, ANN)
        self.throttle.succeeded(OFFICE, BOB)
        for address in self.many_hosts(2 * ACCOUNT_STEP):
            self.throttle.failed(address, ANN)
        waits = [self.throttle.admit(address, ANN) for address in (HOME, OFFICE, LOCAL)]
        self.assertEqual(waits, [0, 2, 2])

    def test_who_mistypes_where_they_are_known_makes_nobody_wait(self):
        self.throttle.succeeded(HOME, ANN)
        self.fail_often(HOME, ANN, 40)
        self.assertEqual(self.throttle.admit(OFFICE, ANN), 0)

    def test_strangers_are_never_refused_for_others(self):
        self.spray(3000)
        for number in range(200):
            self.throttle.failed(f"203.0.113.{number}", ANN)
        self.assertEqual(self.throttle.admit("203.0.113.250", ANN), 5)

    def test_processes_make_strangers_wait_together(self):
        tables = {}

        def shared(kind, window_s):
            made = counters.MemoryCounters(self.clock.seconds, window_s)
            return tables.setdefault(kind, made)

        one, two = (Throttle(self.config, self.clock.seconds, shared) for _ in "ab")
        for number in range(self.config.failures_per_server):
            half = (one, two)[number % 2]
            half.failed(f"198.{number}.0.1", f"user{number}")
        self.assertEqual((one.admit(HOME, ANN), two.admit(OFFICE, ANN)), (1, 1))
