"""Lines and tokens out of octets."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import LineTooLong, SyntaxFault
from mailtwist.wire import LineFramer, Scanner

LIMIT = 8
STREAM = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b"bcd", b"123456789"]), max_size=30
).map(b"".join)


def read(chunks, lone_lf=False):
    """Lines and, as None, faults."""
    framer, lines = LineFramer(LIMIT, lone_lf=lone_lf), []
    for chunk in chunks:
        framer.feed(chunk)
        while True:
            try:
                line = framer.next_line()
            except LineTooLong:
                lines.append(None)
                continue
            if line is None:
                break
            lines.append(line)
    return lines, framer.pending


def expected(stream, lone_lf=False):
    """What `read` must give, said without any state."""
    whole = re.split(rb"\r?\n" if lone_lf else rb"\r\n", stream)
    lines = [line if len(line) <= LIMIT else None for line in whole[:-1]]
    return lines, whole[-1]


class LineFramerTests(SynchronousTestCase):
    @settings(max_examples=200)
    @given(stream=STREAM, lone_lf=st.booleans())
    def test_lines_are_what_stands_between_line_ends(self, stream, lone_lf):
        lines, _ = read([stream], lone_lf)
        wanted, rest = expected(stream, lone_lf)
        self.assertEqual(lines[: len(wanted)], wanted)
        self.assertLessEqual(len(lines) - len(wanted), 1 if len(rest) > LIMIT else 0)

    @settings(max_examples=200)
    @given(stream=STREAM, lone_lf=st.booleans(), at=st.lists(st.integers(0, 60)))
    def test_any_split_gives_the_same_lines(self, stream, lone_lf, at):
        ends = sorted(at)
        chunks = [
            stream[a:b] for a, b in zip([0, *ends], [*ends, len(stream)], strict=True)
        ]
        self.assertEqual(read(chunks, lone_lf)[0], read([stream], lone_lf)[0])

    @settings(max_examples=100)
    @given(stream=STREAM)
    def test_no_more_than_a_line_is_kept(self, stream):
        for end in range(len(stream)):
            self.assertLessEqual(read([stream[:end]])[1], LIMIT + 1)

    def test_the_line_after_a_long_one_is_read(self):
        self.assertEqual(read([b"x" * 100, b"yy\r\nok\r\n"])[0], [None, b"ok"])

    def test_a_line_of_the_limit_is_no_fault(self):
        self.assertEqual(read([b"12345678\r", b"\n"])[0], [b"12345678"])
        self.assertEqual(read([b"123456789\r\n"])[0], [None])

    def test_bare_cr_and_lf_stay_in_the_line_for_the_grammar(self):
        self.assertEqual(read([b"a\nb\rc\r\n"])[0], [b"a\nb\rc"])

    def test_take_all_gives_the_octets_behind_the_line(self):
        framer = LineFramer(LIMIT)
        framer.feed(b"one\r\ntwo")
        self.assertEqual(framer.next_line(), b"one")
        self.assertEqual(framer.take_all(), b"two")
        self.assertEqual(framer.pending, 0)

    def test_many_small_segments_cost_no_more_than_their_octets(self):
        framer = LineFramer(1_000_000)
        for _ in range(50_000):
            framer.feed(b"xxxxx")
            self.assertIsNone(framer.next_line())
        framer.feed(b"\r\n")
        self.assertEqual(len(framer.next_line()), 250_000)


class ScannerTests(SynchronousTestCase):
    def test_a_miss_says_what_and_where(self):
        s = Scanner(b"abc 1")
        s.match(re.compile(rb"[a-z]+"), "word")
        with self.assertRaises(SyntaxFault) as caught:
            s.match(re.compile(rb"[0-9]+"), "number")
        self.assertEqual(
            (caught.exception.expected, caught.exception.at), ("number", 3)
        )

    def test_a_try_that_misses_does_not_move(self):
        s = Scanner(b"abc")
        self.assertIsNone(s.try_match(re.compile(rb"[0-9]+")))
        self.assertFalse(s.skip(b"x"))
        self.assertEqual(s.at, 0)

    def test_nothing_may_follow_the_end(self):
        s = Scanner(b"ab")
        s.expect(b"a", "a")
        with self.assertRaises(SyntaxFault):
            s.end()
        s.expect(b"b", "b")
        s.end()
        self.assertTrue(s.done)
