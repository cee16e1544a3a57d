"""Results that a client is kept up to date of (RFC 5267 §4.3)."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist import search_key as key
from mailtwist.imap4.context import Context, fixed
from mailtwist.seqset import SAVED, STAR, SequenceSet
from mailtwist.sort_key import SortCriterion, SortKey

DATE = (SortCriterion(SortKey.DATE),)
UIDS = st.lists(st.integers(1, 40), unique=True, max_size=20)


def context(found, criteria=None):
    return Context(key.All(), True, criteria, (), list(found))


def taken(results, moves):
    """What a client does with REMOVEFROM (RFC 5267 §4.3.4)."""
    for position, uids in moves:
        for uid in uids:
            if position and results[position - 1] != uid:
                raise AssertionError(f"{uid} is not at {position} of {results}")
            results.remove(uid)
    return results


def put(results, moves):
    """What a client does with ADDTO (RFC 5267 §4.3.3)."""
    for position, uids in moves:
        for at, uid in enumerate(uids):
            results.insert(position - 1 + at if position else 0, uid)
        if not position:
            results.sort()
    return results


class MoveTests(SynchronousTestCase):
    @given(UIDS, st.sets(st.integers(1, 40)))
    def test_what_is_taken_out_of_a_sort_leaves_the_rest_in_order(self, order, gone):
        held = context(order, DATE)
        moves = held.take_out(held.holds(gone))
        self.assertEqual(taken(list(order), moves), held.found)
        self.assertEqual(held.found, [uid for uid in order if uid not in gone])

    @given(UIDS, st.data())
    def test_what_is_put_into_a_sort_is_at_its_place(self, order, data):
        new = data.draw(st.sets(st.sampled_from(order)) if order else st.just(set()))
        old = [uid for uid in order if uid not in new]
        held = context(old, DATE)
        self.assertEqual(put(old, held.put_in(list(order), new)), order)
        self.assertEqual(held.found, order)

    @given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
    def test_results_of_a_search_are_in_mailbox_order(self, found, touched):
        held = context(sorted(found))
        results = taken(sorted(found), held.take_out(held.holds(touched)))
        self.assertEqual(results, sorted(found - touched))
        order = sorted(found | touched)
        results = put(results, held.put_in(order, touched))
        self.assertEqual(results, order)

    def test_a_stretch_is_one_move(self):
        held = context([5, 9, 8, 1, 4], DATE)
        self.assertEqual(held.take_out({9, 8, 4}), [(5, [4]), (2, [9, 8])])
        self.assertEqual(
            held.put_in([7, 6, 5, 1, 3], {7, 6, 3}), [(1, [7, 6]), (5, [3])]
        )


class FixedTests(SynchronousTestCase):
    def test_numbers_are_read_as_they_are_now(self):
        view = [10, 20, 30]

        def uids_of(numbers):
            return [
                view[n - 1]
                for low, high in numbers.ranges
                for n in range(low, high + 1)
            ]

        def uids(*ranges):
            return key.InUid(SequenceSet(ranges))

        for before, after, why in (
            (key.All(), key.All(), "nothing to read"),
            (key.InSequence(SequenceSet(((1, 2),))), uids((10, 10), (20, 20)), "§4.3"),
            (key.Not(key.Saved()), key.Not(uids((20, 20))), "what $ is now"),
            (uids((5, 15)), uids((5, 15)), "UIDs stay what they are"),
            (uids((15, STAR)), uids((15, STAR - 1)), "new messages are in it"),
            (uids((99, STAR)), uids((30, STAR - 1)), "99:* is *:99"),
            (uids((1, 2), (STAR, STAR)), uids((1, 2), (30, 30)), "the last one now"),
            (
                key.Or(key.Saved(), key.And((key.Saved(), key.All()))),
                key.Or(uids((20, 20)), key.And((uids((20, 20)), key.All()))),
                "at any depth",
            ),
        ):
            self.assertEqual(fixed(before, view, uids_of, [20]), after, why)
        self.assertFalse(SAVED.ranges)

    def test_what_depends_on_flags_is_known(self):
        for search, wanted in (
            (key.HasFlag("\\Seen"), True),
            (key.Not(key.HasFlag("\\Seen")), True),
            (key.Or(key.All(), key.ModSeq(3)), True),
            (key.And((key.All(), key.HasFlag("x"))), True),
            (key.And((key.All(), key.Body("x"))), False),
        ):
            held = Context(search, True, None, (), [])
            self.assertEqual(held.volatile, wanted, search)
