from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import LineTooLong, MailError
from mailtwist.smtp.faults import BareLineFeed
from mailtwist.smtp.lines import CommandLines

from .splits import CUTS, pieces


def read(segments, *, limit=12, lone_lf=False):
    """The lines, and the names of faults in their places."""
    lines, found = CommandLines(limit, lone_lf=lone_lf), []
    for segment in segments:
        lines.feed(segment)
        while True:
            try:
                line = lines.next_line()
            except MailError as fault:
                line = type(fault).__name__
            if line is None:
                break
            found.append(line)
    return found


OCTETS = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b"abc", b"NOOP", b"x" * 11, b"y" * 30])
).map(b"".join)


class CommandLinesTests(SynchronousTestCase):
    def test_a_line_ends_in_crlf_and_nothing_else(self):
        for octets, lines in (
            (b"a\r\nb\r\n", [b"a", b"b"]),
            (b"a\nb\r\n", ["BareLineFeed", b"b"]),  # LF alone
            (b"a\rb\r\n", [b"a\rb"]),  # a bare CR is left for the grammar to refuse
            (b"\r\n", [b""]),
            (b"\r\r\n", [b"\r"]),
            (b"a\r", []),
        ):
            self.assertEqual(read([octets]), lines, octets)

    def test_lf_alone_ends_a_line_where_that_is_allowed(self):
        self.assertEqual(read([b"a\nb\r\n\n"], lone_lf=True), [b"a", b"b", b""])

    def test_how_the_last_line_ended_is_known(self):
        lines = CommandLines(lone_lf=True)
        lines.feed(b"a\nb\r\n")
        lines.next_line()
        self.assertTrue(lines.ended_bare)
        lines.next_line()
        self.assertFalse(lines.ended_bare)

    def test_a_long_line_costs_one_fault_and_the_next_is_read(self):
        self.assertEqual(
            read([b"x" * 12 + b"\r\n" + b"x" * 13 + b"\r\nNOOP\r\n"]),
            [b"x" * 12, "LineTooLong", b"NOOP"],
        )

    def test_no_more_than_the_limit_is_kept(self):
        lines = CommandLines(100)
        for _ in range(1000):
            lines.feed(b"x" * 50)
            self.assertIsNone(lines.next_line())
            self.assertLessEqual(lines.pending, 151)
        lines.feed(b"\r\n")
        self.assertRaises(LineTooLong, lines.next_line)

    def test_a_bare_lf_in_a_long_line_is_found_whatever_was_dropped(self):
        for segments in ([b"x" * 40 + b"\n"], [b"x" * 40, b"\n"]):
            self.assertEqual(read(segments), [BareLineFeed.__name__])

    @given(octets=OCTETS, cuts=CUTS, lone_lf=st.booleans())
    @settings(max_examples=150)
    def test_any_split_gives_the_same_lines_and_faults(self, octets, cuts, lone_lf):
        self.assertEqual(
            read(pieces(octets, cuts), lone_lf=lone_lf), read([octets], lone_lf=lone_lf)
        )

    def test_queued_lines_are_seen_and_left(self):
        lines = CommandLines()
        lines.feed(b"a\r\nb\r\nc\r\nd")
        lines.next_line()
        self.assertEqual(lines.queued(10), [b"b", b"c"])
        self.assertEqual(lines.queued(1), [b"b"])
        self.assertEqual(lines.next_line(), b"b")
