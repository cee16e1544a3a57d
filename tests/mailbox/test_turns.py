"""Long work in slices."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox import turns
from mailtwist.mailbox.turns import SLICE_US, Turns, chunks

from .search_mailbox import answer


class TurnsTests(SynchronousTestCase):
    def setUp(self):
        self.pauses = 0

    async def pause(self):
        self.pauses += 1

    def test_a_pause_comes_when_a_slice_is_spent(self):
        mine = Turns(self.pause)
        for _ in range(4):
            answer(self, mine.spent(SLICE_US / 2))
        self.assertEqual(self.pauses, 2)

    def test_a_long_sort_lets_others_work(self):
        items = list(range(100_000, 0, -1))
        answer(self, Turns(self.pause).sort(items, lambda one: one))
        self.assertEqual(items[:3], [1, 2, 3])
        self.assertGreaterEqual(self.pauses, 10)

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers())), st.booleans())
    def test_it_sorts_as_a_list_does(self, items, reverse):
        self.patch(turns, "RUN", 3)
        found = items[:]
        mine = Turns(self.pause)
        answer(self, mine.sort(found, lambda one: one[0], reverse=reverse))
        self.assertEqual(found, sorted(items, key=lambda one: one[0], reverse=reverse))

    def test_chunks_are_all_of_it(self):
        items = list(range(1234))
        self.assertEqual([one for some in chunks(items) for one in some], items)
