from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.smtp.client_stuffing import DotStuffer
from mailtwist.smtp.data import DataScanner

from .splits import CUTS, pieces

OCTETS = st.lists(
    st.sampled_from([b"\r\n", b".", b"..", b"a", b"\r", b"\n", b"\r\n.\r\n", b"\n.\n"])
).map(b"".join)


def stuffed(segments):
    stuffer = DotStuffer()
    return b"".join(map(stuffer.feed, segments)) + stuffer.finish()


class DotStufferTests(SynchronousTestCase):
    def test_dots_are_doubled_where_a_line_begins(self):
        for content, out in (
            (b"", b".\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"a.b\r\n..c\r\n", b"a.b\r\n...c\r\n.\r\n"),
            (b"no end", b"no end\r\n.\r\n"),
            (b"a\n.\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),  # LF alone: no smuggling
            (b"a\r", b"a\r\n.\r\n"),
        ):
            self.assertEqual(stuffed([content]), out, content)

    @given(OCTETS, CUTS)
    @settings(max_examples=300)
    def test_any_split_gives_the_same_octets(self, octets, cuts):
        self.assertEqual(stuffed(pieces(octets, cuts)), stuffed([octets]))

    @given(OCTETS)
    @settings(max_examples=300)
    def test_a_server_reads_one_message_and_finds_no_fault(self, octets):
        scanner = DataScanner(10_000)
        content = scanner.feed(stuffed([octets]))
        self.assertTrue(scanner.ended)
        self.assertIsNone(scanner.fault)
        self.assertEqual(scanner.rest, b"")
        wanted = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        wanted = wanted.replace(b"\n", b"\r\n")
        if wanted and not wanted.endswith(b"\r\n"):
            wanted += b"\r\n"
        self.assertEqual(content, wanted)
