"""Tests for mailtwist.sieve.doubts."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.sieve.check import compiled
from mailtwist.sieve.doubts import MOST_DOUBTS, doubts

IHAVE = 'require ["ihave", "include", "foreverypart", "mime"];\n'
A, B, C = (f'redirect "{name}@x.test";' for name in "abc")


def told(script, redirects=2):
    """Each doubt as "line: text"."""
    found = doubts(compiled(script.encode()), redirects)
    return [f"{each.place.line}: {each.text}" for each in found]


class ReachTests(SynchronousTestCase):
    def test_what_is_never_reached(self):
        for script, lines in [
            ("keep;\nstop;\n", []),
            ("stop;\nkeep;\nkeep;\n", [2]),
            ("if true {\nstop;\nkeep;\n}\nkeep;\n", [3]),
            ("if true {\nstop;\n}\nkeep;\n", []),
            ("if true {\nstop;\n} else {\nkeep;\n}\nkeep;\n", []),
            ("if true {\nstop;\n} else {\nstop;\n}\nkeep;\n", [6]),
            ("if true {\nstop;\n} elsif true {\nstop;\n}\nkeep;\n", []),
            (IHAVE + 'error "x";\nkeep;\n', [3]),
            (IHAVE + "return;\nkeep;\n", [3]),
            (IHAVE + "foreverypart {\nbreak;\nkeep;\n}\nkeep;\n", [4]),
            (IHAVE + "foreverypart {\nstop;\n}\nkeep;\n", []),
        ]:
            want = [f"{line}: this is never reached" for line in lines]
            self.assertEqual(told(script), want, script)

    def test_their_number_has_a_limit(self):
        self.assertEqual(len(told("if true {\nstop;\nkeep;\n}\n" * 50)), MOST_DOUBTS)


class RedirectTests(SynchronousTestCase):
    def test_too_many_of_one_message(self):
        for script, lines in [
            (f"{A}\n{B}\n", []),
            (f"{A}\n{B}\n{C}\n", [3]),
            (f"{A}\n{B}\n{A}\n", []),  # one address gets one message
            (f"{A}\nif true {{\n{B}\n}} else {{\n{C}\n}}\n", []),
            (f"if true {{\n{A}\n{B}\n}}\n{C}\n", [5]),
            (f"if true {{\n{A}\n{B}\nstop;\n}}\n{C}\n", []),
            (f"if true {{\n{A}\n{B}\n{C}\nstop;\n}}\n", [4]),
        ]:
            want = [
                f"{line}: more than 2 redirects of one message fail" for line in lines
            ]
            self.assertEqual(told(script), want, script)

    def test_none_may_be_allowed(self):
        self.assertEqual(
            told(f"keep;\n{A}\n", 0), ["2: more than 0 redirects of one message fail"]
        )


LINES = st.sampled_from(["keep;", A, B, C])
BLOCKS = st.recursive(
    st.lists(LINES, max_size=4).map("\n".join),
    lambda inner: st.lists(
        inner | inner.map("if true {{\n{}\n}}".format), max_size=3
    ).map("\n".join),
    max_leaves=6,
)


class AnyScriptTests(SynchronousTestCase):
    @given(block=BLOCKS)
    def test_no_doubt_without_a_reason(self, block):
        self.assertEqual(told(block, 3), [])
        for line in told(block, 0):
            self.assertIn("more than 0 redirects", line)

    @given(block=BLOCKS)
    def test_all_behind_a_stop_is_told_once(self, block):
        want = ["2: this is never reached"] if block.strip() else []
        found = told(f"stop;\n{block}".strip(), 3)
        self.assertEqual([line[2:] for line in found], [line[2:] for line in want])
