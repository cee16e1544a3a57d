"""Sequence sets: ranges that are never expanded."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.seqset import STAR, SequenceSet

ENDS = st.integers(1, 40) | st.just(STAR)
RANGES = st.lists(st.tuples(ENDS, ENDS), max_size=10)
NUMBERS = st.sets(st.integers(1, 40), max_size=30).map(sorted)


def members(ranges, largest):
    """The numbers up to 40 that `ranges` mean, said one by one."""
    found = set()
    for ends in ranges:
        low, high = sorted(largest if end == STAR else end for end in ends)
        found.update(range(low, high + 1))
    return found


class SequenceSetTests(SynchronousTestCase):
    @settings(max_examples=200)
    @given(ranges=RANGES, numbers=NUMBERS)
    def test_picks_what_its_ranges_mean(self, ranges, numbers):
        largest = numbers[-1] if numbers else 0
        wanted = members(ranges, largest)
        picked = SequenceSet.of(ranges).pick(numbers)
        self.assertEqual(picked, [n for n in numbers if n in wanted])

    @settings(max_examples=100)
    @given(ranges=RANGES)
    def test_ranges_are_sorted_and_apart(self, ranges):
        found = SequenceSet.of(ranges).ranges
        for (_, high), (low, _) in zip(found, found[1:], strict=False):
            self.assertLess(high + 1, low)

    @settings(max_examples=100)
    @given(numbers=NUMBERS)
    def test_numbers_go_in_and_come_out(self, numbers):
        found = SequenceSet.of_numbers(reversed(numbers))
        self.assertEqual(found.pick(range(1, 41)), numbers)
        self.assertEqual([n for n in range(1, 41) if n in found], numbers)
        self.assertEqual(bool(found), bool(numbers))

    def test_star_is_the_largest_in_use(self):
        for ranges, uids, wanted, why in [
            ([(STAR, STAR)], [3, 9], [9], "* alone"),
            ([(1, STAR)], [3, 9], [3, 9], "all"),
            ([(100, STAR)], [3, 9], [9], "n:* above all is the last (§6.4.8)"),
            ([(STAR, 4)], [3, 9], [9], "either way round"),
            ([(1, STAR)], [], [], "nothing in use"),
        ]:
            self.assertEqual(SequenceSet.of(ranges).pick(uids), wanted, why)

    def test_a_huge_range_costs_nothing(self):
        found = SequenceSet.of([(1, 4294967295)])
        self.assertEqual(found.ranges, ((1, 4294967295),))
        self.assertEqual(found.pick([5, 4294967295]), [5, 4294967295])

    def test_a_set_of_many_ranges_is_joined_in_n_log_n(self):
        found = SequenceSet.of((n * 2, n * 2) for n in range(50_000, 0, -1))
        self.assertEqual(len(found.ranges), 50_000)
        self.assertEqual(len(found.pick(range(1, 100_001))), 50_000)

    def test_encodes_as_the_wire_has_it(self):
        found = SequenceSet.of([(1, 1), (3, 5), (9, STAR)])
        self.assertEqual(found.encode(), b"1,3:5,9:*")
        self.assertEqual(SequenceSet.of([(STAR, STAR)]).encode(), b"*")
