from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.listing import ListOptions
from mailtwist.config.option import DAY_S
from mailtwist.lists.bounce import DELAYED, HARD, SOFT
from mailtwist.lists.scoring import forgiven, scored

from .samples import member

OPTIONS = ListOptions(bounce_score=3.0)


def after(*reports):
    """A member after (day, kind) of each report."""
    found = member()
    for day, kind in reports:
        found = scored(found, kind, OPTIONS, 1_000_000 + day * DAY_S)
    return found


class ScoreTests(SynchronousTestCase):
    def test_scores(self):
        for reports, score, why in (
            ([(0, HARD)], 1.0, "a permanent failure"),
            ([(0, HARD), (0.1, HARD), (0.2, HARD)], 1.0, "a day counts once"),
            ([(0, SOFT), (0.1, HARD)], 1.0, "at the worst of it"),
            ([(0, HARD), (0.1, SOFT)], 1.0, "in any order"),
            ([(0, HARD), (1.1, SOFT)], 1.5, "two days"),
            ([(0, HARD), (1.1, SOFT), (1.2, HARD), (1.3, HARD)], 2.0, "the same"),
            ([(0, HARD), (9, HARD)], 1.0, "what is long ago is forgotten"),
            ([(0, DELAYED)], 0.0, "it is still tried"),
        ):
            self.assertEqual(after(*reports).score, score, why)

    def test_enough_stops_delivery(self):
        self.assertFalse(after((0, HARD), (1.1, HARD)).stopped)
        stopped = after((0, HARD), (1.1, HARD), (2.2, HARD))
        self.assertEqual((stopped.stopped, stopped.wants), (True, "nomail"))
        self.assertEqual(forgiven(stopped), member())

    def test_bounces_may_be_ignored(self):
        options = ListOptions(bounce_score=0.0)
        self.assertEqual(scored(member(), HARD, options, 1e6), member())

    @given(
        st.lists(st.tuples(st.floats(0, 3), st.sampled_from([HARD, SOFT])), max_size=40)
    )
    def test_a_day_never_counts_more_than_one(self, reports):
        day, found = 0.0, []
        for step, kind in reports:
            day += step
            found.append((day, kind))
        self.assertLessEqual(after(*found).score, int(day) + 1)
