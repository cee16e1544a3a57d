"""Tests for mailtwist.policy.shared_rate."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.policy.rate import Rate
from mailtwist.policy.shared_rate import SharedRate
from mailtwist.shared_places import SIZE

OTHER = """
import sys
from mailtwist.policy.shared_rate import SharedRate
rate = SharedRate(1000, 1e9, lambda: 5.0, int(sys.argv[1]), 0)
print(sum(rate.take("net") for _ in range(1000)))
"""
STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.floats(0, 20)), min_size=1, max_size=60
)


class SharedRateTests(SynchronousTestCase):
    def setUp(self):
        self.now_s = 1000.0
        self.memory = os.memfd_create("test", os.MFD_CLOEXEC)
        self.addCleanup(os.close, self.memory)

    def rate(self, limit=3, span_s=60.0, offset=0):
        return SharedRate(limit, span_s, lambda: self.now_s, self.memory, offset)

    @given(STEPS)
    def test_it_takes_what_one_process_alone_would(self, steps):
        self.setUp()
        one, two = self.rate(), self.rate()
        alone = Rate(3, 60.0, lambda: self.now_s)
        for number, (key, wait_s) in enumerate(steps):
            self.now_s += wait_s
            self.assertEqual((one, two)[number % 2].take(key), alone.take(key))

    def test_two_processes_take_no_more_than_there_is(self):
        ours = SharedRate(1000, 1e9, lambda: 5.0, self.memory, 0)
        others = [
            subprocess.Popen(
                [sys.executable, "-c", OTHER, str(self.memory)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=[self.memory],
                stdout=subprocess.PIPE,
            )
            for _ in range(2)
        ]
        taken = sum(ours.take("net") for _ in range(1000))
        for other in others:
            taken += int(other.communicate(timeout=60)[0])
        self.assertEqual(taken, 1000)

    def test_no_limit_takes_all_and_tables_are_apart(self):
        self.assertTrue(all(self.rate(limit=0).take("a") for _ in range(100)))
        one, two = self.rate(limit=1), self.rate(limit=1, offset=SIZE)
        self.assertEqual([r.take("a") for r in (one, one, two)], [True, False, True])

    def test_rubbish_is_nobody_and_a_clock_that_went_back_forgives(self):
        os.pwrite(self.memory, b"\xff" * SIZE, 0)
        rate = self.rate(limit=2)
        self.assertEqual([rate.take("a") for _ in range(3)], [True, True, False])
        self.now_s -= 500.0
        self.assertTrue(rate.take("a"))
