"""Tests for mailtwist.service.tally, memory and what counts in it."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Limits
from mailtwist.config.reading import Pop3
from mailtwist.errors import LoginTooSoon, MailboxInUse
from mailtwist.pop3.maildrop import Maildrops
from mailtwist.service import memory
from mailtwist.service.gate import Gate
from mailtwist.service.memory import Memory
from mailtwist.service.tally import SLOTS, WAYS, Regions, Tally

STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.sampled_from("abc")), max_size=60
)
OTHER = """
import sys
from mailtwist.service.memory import Memory
there = Memory(int(sys.argv[1]), 1)
print(there.locks.take("ann"), there.locks.take("bob"), flush=True)
sys.stdin.read()
"""


class SharedTestCase(SynchronousTestCase):
    def setUp(self):
        self.descriptor = memory.made()
        self.addCleanup(os.close, self.descriptor)
        self.regions = Regions(self.descriptor)


class TallyTests(SharedTestCase):
    def tally(self):
        return Tally(self.descriptor, self.regions.take())

    @given(STEPS)
    def test_all_see_the_sum(self, steps):
        self.setUp()
        tallies, counts = [self.tally() for _ in range(3)], {}
        for whose, adds, key in steps:
            if adds:
                tallies[whose].add(key)
                counts[whose, key] = counts.get((whose, key), 0) + 1
            elif counts.get((whose, key)):
                tallies[whose].remove(key)
                counts[whose, key] -= 1
            total = sum(n for (_, known), n in counts.items() if known == key)
            self.assertEqual([each.count(key) for each in tallies], [total] * 3)

    def test_who_has_ended_counts_no_more(self):
        one, two = self.tally(), self.tally()
        two.add("k")
        two.serve(True)
        two.connected(3)
        self.assertEqual((one.count("k"), one.connections()), (1, 3))
        self.regions.free(1)
        self.assertEqual((one.count("k"), one.connections()), (0, 0))
        self.assertEqual(self.regions.take(), 1)

    def test_who_has_most_leaves_connections_to_those_that_serve(self):
        one, two, three = (self.tally() for _ in range(3))
        one.connected(2)
        self.assertFalse(one.has_most())  # nobody else serves
        two.connected(1)
        two.serve(True)
        three.connected(2)
        three.serve(True)
        self.assertEqual(
            [each.has_most() for each in (one, two, three)], [True, False, True]
        )

    def test_keys_without_a_place_are_known_to_their_worker(self):
        one, two = self.tally(), self.tally()
        keys = [f"host {number}" for number in range(SLOTS * 2)]
        for key in keys:
            one.add(key)
        self.assertTrue(all(one.count(key) == 1 for key in keys))
        seen = sum(two.count(key) for key in keys)
        self.assertTrue(SLOTS // 2 < seen <= SLOTS)
        for key in keys:
            one.remove(key)
        self.assertEqual(sum(two.count(key) for key in keys), 0)
        self.assertEqual(SLOTS % WAYS, 0)

    def test_a_region_for_each_and_no_more(self):
        with self.assertRaises(OSError):
            for _ in range(10_000):
                self.regions.take()


class LimitTests(SharedTestCase):
    def there(self):
        return Memory(self.descriptor, self.regions.take())

    def test_the_gate_counts_the_connections_of_all(self):
        limits = Limits(connections=3, connections_per_network=2)
        one, two = (Gate(limits, self.there().tally) for _ in range(2))
        one.entered("192.0.2.1")
        two.entered("192.0.2.1")
        self.assertFalse(one.admits("192.0.2.1"))
        self.assertTrue(two.admits("192.0.2.2"))
        two.entered("local")
        self.assertFalse(one.admits("local"))
        two.left("192.0.2.1")
        self.assertTrue(one.admits("192.0.2.1"))

    def test_a_maildrop_is_open_in_one_worker_only(self):
        ours = self.there()
        drops = Maildrops(Pop3(lock=True), ours.locks)
        let_go = drops.enter("bob", 0.0)
        other = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(self.descriptor)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[self.descriptor],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(other.wait, 20)
        self.addCleanup(other.kill)
        self.assertEqual(other.stdout.readline(), b"True False\n")
        self.assertRaises(MailboxInUse, drops.enter, "ann", 0.0)
        self.assertRaises(MailboxInUse, drops.enter, "bob", 0.0)
        let_go()
        drops.enter("bob", 0.0)
        other.kill()
        other.wait(20)
        other.stdin.close()
        other.stdout.close()
        drops.enter("ann", 0.0)()

    def test_a_login_too_soon_is_one_in_any_worker_and_leaves_the_lock(self):
        pop3 = Pop3(lock=True, login_delay_s=100.0)
        one, two = (
            Maildrops(pop3, each.locks, each.rate("login_delay_s", 1, 100.0))
            for each in (self.there(), self.there())
        )
        one.enter("ann", 0.0)()
        self.assertRaises(LoginTooSoon, two.enter, "ann", 0.0)
        self.assertTrue(self.there().locks.take("ann"))

    def test_failed_logins_count_together(self):
        one, two = (self.there().counters("accounts", 60.0) for _ in range(2))
        one.add("ann")
        two.add("ann")
        self.assertEqual((one.count("ann"), one.count("bob")), (2, 0))
        self.assertEqual(self.there().counters("pairs", 60.0).count("ann"), 0)
