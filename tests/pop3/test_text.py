from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.pop3.text import DotStuffer, TopCutter

OCTETS = st.lists(st.sampled_from([b".", b"\r\n", b"a", b"\r", b"\r\n.", b"..", b" "]))
MESSAGE = OCTETS.map(b"".join)
CUTS = st.lists(st.integers(0, 80), max_size=8)


def pieces(octets, cuts):
    """`octets` cut at these places."""
    at = 0
    for cut in sorted(cut for cut in cuts if cut <= len(octets)):
        yield octets[at:cut]
        at = cut
    yield octets[at:]


def stuffed(chunks):
    stuffer = DotStuffer()
    return b"".join([stuffer.stuff(chunk) for chunk in chunks]) + stuffer.end()


def read(wire):
    """What a client reads of a multi-line answer: lines without their stuffing."""
    lines = []
    for line in wire.split(b"\r\n"):
        if line == b".":
            return lines
        lines.append(line[1:] if line.startswith(b".") else line)
    raise AssertionError("no end")


class StuffingTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(MESSAGE, CUTS)
    def test_any_cut_gives_the_same_octets(self, message, cuts):
        self.assertEqual(stuffed(pieces(message, cuts)), stuffed([message]))

    @settings(max_examples=200, deadline=None)
    @given(MESSAGE, CUTS)
    def test_a_client_reads_the_message(self, message, cuts):
        lines = message.split(b"\r\n")
        if not lines[-1]:
            lines.pop()
        self.assertEqual(read(stuffed(pieces(message, cuts))), lines)

    def test_a_dot_at_the_start_of_a_chunk(self):
        self.assertEqual(stuffed([b"a\r\n", b".\r\n"]), b"a\r\n..\r\n.\r\n")
        self.assertEqual(stuffed([b"a\r\nb", b".c"]), b"a\r\nb.c\r\n.\r\n")
        self.assertEqual(stuffed([b"a\r", b"\n", b"", b".\r\n"]), b"a\r\n..\r\n.\r\n")

    def test_ends(self):
        for message, want in (
            (b"", b".\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"\r\n.\r\n", b"\r\n..\r\n.\r\n"),
        ):
            self.assertEqual(stuffed([message]), want)


def top(message, lines):
    """What TOP gives, said naively."""
    if message.startswith(b"\r\n"):
        header, body = b"\r\n", message[2:]
    else:
        end = message.find(b"\r\n\r\n")
        if end < 0:
            return message
        header, body = message[: end + 4], message[end + 4 :]
    return header + b"".join(body.splitlines(keepends=True)[:lines])


LINES = st.lists(st.sampled_from([b"", b"", b"a", b"a: b", b"." * 30, b"x" * 50]))


class TopTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(LINES, st.booleans(), st.integers(0, 6), CUTS)
    def test_any_cut_gives_header_and_lines(self, rows, ended, lines, cuts):
        message = b"\r\n".join(rows) + (b"\r\n" if ended else b"")
        cutter, found = TopCutter(lines), b""
        for chunk in pieces(message, cuts):
            if not cutter.done:
                found += cutter.cut(chunk)
        self.assertEqual(found, top(message, lines))

    def test_the_blank_line_straddles_chunks(self):
        message = b"a: b\r\n\r\none\r\ntwo\r\n"
        for cut in range(len(message)):
            cutter = TopCutter(1)
            found = cutter.cut(message[:cut])
            if not cutter.done:
                found += cutter.cut(message[cut:])
            self.assertEqual(found, b"a: b\r\n\r\none\r\n", cut)

    def test_a_huge_line_is_not_cut(self):
        line = b"x" * 40_012
        message = b"a: b\r\n\r\n" + line + b"\r\nmore\r\n"
        cutter = TopCutter(1)
        found = b""
        for at in range(0, len(message), 16_384):
            if not cutter.done:
                found += cutter.cut(message[at : at + 16_384])
        self.assertEqual(found, b"a: b\r\n\r\n" + line + b"\r\n")

    def test_done_as_soon_as_there_is_enough(self):
        cutter = TopCutter(0)
        self.assertEqual(cutter.cut(b"a: b\r\n\r\nbody"), b"a: b\r\n\r\n")
        self.assertTrue(cutter.done)
