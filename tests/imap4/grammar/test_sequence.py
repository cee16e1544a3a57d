"""sequence-set."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import SyntaxFault
from mailtwist.imap4.framer import Frame
from mailtwist.imap4.grammar.scanner import CommandScanner
from mailtwist.imap4.grammar.sequence import sequence_set
from mailtwist.seqset import STAR, SequenceSet

ENDS = st.integers(1, 2**32 - 1) | st.just(STAR)


def parse(text):
    s = CommandScanner(Frame(text))
    found = sequence_set(s)
    s.end()
    return found


class SequenceTests(SynchronousTestCase):
    def test_forms(self):
        for text, ranges, why in [
            (b"1", ((1, 1),), "one"),
            (b"*", ((STAR, STAR),), "the last"),
            (b"*:*", ((STAR, STAR),), "Twisted's server refused it"),
            (b"1:*", ((1, STAR),), "all"),
            (b"*:4", ((4, STAR),), "either way round"),
            (b"5:3,4,9", ((3, 5), (9, 9)), "joined"),
            (b"2,1,3", ((1, 3),), "neighbours"),
            (b"1:4294967295", ((1, 4294967295),), "never expanded"),
        ]:
            self.assertEqual(parse(text).ranges, ranges, why)

    def test_what_is_no_set_is_refused(self):
        for text in (
            *(b"", b"0", b"1:", b":1", b"1,", b",1", b"1:2:3", b"1..2", b"a", b"-1"),
            *(b"01", b"4294967296", b"99999999999", b"1 :2", b"**", b"1,0"),
        ):
            with self.assertRaises(SyntaxFault, msg=text):
                parse(text)

    @settings(max_examples=100)
    @given(ranges=st.lists(st.tuples(ENDS, ENDS), min_size=1, max_size=8))
    def test_a_set_comes_back(self, ranges):
        found = SequenceSet.of(ranges)
        self.assertEqual(parse(found.encode()), found)
