"""Tests for mailtwist.auth.shared_counters, with two processes."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth.counters import MemoryCounters
from mailtwist.auth.shared_counters import PLACE, SharedCounters
from mailtwist.auth.throttle import Throttle
from mailtwist.config.model import Auth
from mailtwist.errors import AuthThrottled
from mailtwist.shared_places import PLACES, WAYS

OTHER = """
import sys
from mailtwist.auth.shared_counters import SharedCounters
counters = SharedCounters.at(sys.argv[1], lambda: 0.0, 60.0)
for _ in range(int(sys.argv[2])):
    counters.add("net")
print(counters.count("net"))
"""
STEP = st.tuples(
    st.sampled_from(["add", "renew", "wait"]), st.sampled_from(["a", "b", "\udcff"])
)


class SharedCountersTests(SynchronousTestCase):
    def opened(self, path=None, clock=None):
        path = path or self.mktemp()
        made = SharedCounters.at(path, (clock or Clock()).seconds, 60.0)
        self.addCleanup(made._places.close)
        return path, made

    def test_two_processes_count_together_and_lose_nothing(self):
        path, ours = self.opened()
        words = [sys.executable, "-c", OTHER, path, "2000"]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        others = [
            subprocess.Popen(words, env=env, stdout=subprocess.PIPE) for _ in range(2)
        ]
        for _ in range(2000):
            ours.add("net")
        for one in others:
            one.communicate(timeout=60)
            self.assertEqual(one.returncode, 0)
        self.assertEqual(ours.count("net"), 6000)

    def test_a_throttle_refuses_for_what_another_process_has_counted(self):
        folder, now = self.mktemp(), Clock().seconds
        os.mkdir(folder)

        def shared(kind, window_s):
            made = SharedCounters.at(f"{folder}/{kind}", now, window_s)
            self.addCleanup(made._places.close)
            return made

        config = Auth(failures_per_network=3)
        one, two = (Throttle(config, now, shared) for _ in range(2))
        two.succeeded("192.0.2.1", "ann@example.test")
        for _ in range(3):
            one.failed("192.0.2.1", "bob@example.test")
        self.assertRaises(AuthThrottled, two.admit, "192.0.2.1", "bob@example.test")
        one.admit("192.0.2.1", "ann@example.test")

    @given(st.lists(STEP, max_size=40))
    def test_it_counts_as_memory_does(self, steps):
        clock = Clock()
        _, shared = self.opened(clock=clock)
        memory = MemoryCounters(clock.seconds, 60.0)
        for what, key in steps:
            if what == "wait":
                clock.advance(25)
            else:
                getattr(shared, what)(key)
                getattr(memory, what)(key)
            self.assertEqual(shared.count(key), memory.count(key))

    def test_the_file_never_grows_and_the_oldest_gives_way(self):
        path, shared = self.opened()
        size = os.path.getsize(path)
        for number in range(3000):
            shared.add(f"host {number}")
        self.assertEqual(os.path.getsize(path), size)
        self.assertEqual(size, PLACES * PLACE.size)
        self.assertEqual(PLACES % WAYS, 0)

    def test_rubbish_in_the_file_is_nobody(self):
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"\xff" * PLACES * PLACE.size)
        _, shared = self.opened(path)
        self.assertEqual(shared.count("net"), 0)
        self.assertEqual([shared.add("net") for _ in range(3)], [1, 2, 3])

    def test_it_follows_no_link(self):
        path = self.mktemp()
        os.symlink("elsewhere", path)
        self.assertRaises(OSError, SharedCounters.at, path, Clock().seconds, 60.0)
