import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadMessage, MessageTooBig
from mailtwist.smtp.data import DataScanner, LineEnds
from mailtwist.smtp.faults import TextLineTooLong

from .splits import CUTS, EACH_OCTET, pieces

LONG = b"x" * 998


def scan(segments, *, most=10_000, ends=LineEnds.STRICT):
    """(content, fault's public sentence or "", ended, octets behind the end)."""
    scanner, content, rest = DataScanner(most, line_ends=ends), b"", b""
    for segment in segments:
        if scanner.ended:
            rest += segment
        else:
            content += scanner.feed(segment)
    fault = scanner.fault
    return (
        b"" if fault else content,
        fault.public if fault else "",
        scanner.ended,
        scanner.rest + rest,
    )


def slowly(octets):
    """The same by the letter of RFC 5321 §4.5.2, a line at a time."""
    content, rest = b"", octets
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return None
        if line == b".":
            return content, rest
        content += line.removeprefix(b".") + end


OCTETS = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r\n", b"\n", b"\r", b".", b"..", b"\r\n.\r\n", b"\n.\n", b"\r.\r"]
        + [b"\n.\r\n", b"\r\n.\n", b"\0", b"abc", LONG, LONG[:500], b"QUIT\r\n"]
    ),
    max_size=24,
).map(b"".join)


class DataScannerTests(SynchronousTestCase):
    def test_dots_and_ends(self):
        for octets, content, rest in (
            (b".\r\n", b"", b""),  # an empty message
            (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
            (b"..\r\n.\r\n", b".\r\n", b""),  # a stuffed dot, alone
            (b"..a\r\n...\r\n.\r\n", b".a\r\n..\r\n", b""),
            (b"a.\r\n.\r\n", b"a.\r\n", b""),
            (b".a\r\n.\r\n", b"a\r\n", b""),  # RFC 5321 §4.5.2: the dot goes
            (b"\r\n\r\n.\r\n.\r\n", b"\r\n\r\n", b".\r\n"),
        ):
            self.assertEqual(scan([octets]), (content, "", True, rest), octets)

    def test_what_does_not_end_a_message(self):
        for octets in (
            b"a\n.\nb",
            b"a\n.\r\nb",
            b"a\r\n.\nb",
            b"a\r.\rb",
            b"a\r\n.\rb",
            b"a\r.\r\nb",
            b"a\r\n.\r\r\nb",
            b"a\r\n. \r\nb",
            b"a\r\n.",
            b"a\r\n.\r",
        ):
            for segments in ([octets], pieces(octets, EACH_OCTET)):
                self.assertFalse(scan(segments)[2], octets)

    def test_faults_are_told_at_the_true_end(self):
        for octets, fault in (
            (b"a\rb", "Message has a CR without LF in it"),
            (b"a\r\r\nb", "Message has a CR without LF in it"),
            (b"a\nb", "Message has an LF without CR in it"),
            (b"\nb", "Message has an LF without CR in it"),
            (b"a\0b", "Message has a NUL in it"),
            (LONG + b"x", "A line is longer than 998 octets"),
            (b"." + LONG, ""),  # the dot is not counted, RFC 5321 §4.5.3.1.6
            (b".." + LONG, "A line is longer than 998 octets"),
            (LONG, ""),
            (b"a\r\n" * 4000, "Message is larger than this server takes"),
            (b"\n\0" * 9000, "Message is larger than this server takes"),
        ):
            octets += b"\r\n.\r\nNOOP\r\n"
            for segments in ([octets], pieces(octets, EACH_OCTET)):
                _, told, ended, rest = scan(segments)
                self.assertEqual((told, ended, rest), (fault, True, b"NOOP\r\n"))

    def test_faults_have_their_kind(self):
        for octets, kind in (
            (b"\n", BadMessage),
            (LONG + b"x\r\n", TextLineTooLong),
            (b"a\r\n" * 4000, MessageTooBig),
        ):
            scanner = DataScanner(10_000)
            scanner.feed(octets + b".\r\n")
            self.assertIsInstance(scanner.fault, kind)

    def test_a_message_of_exactly_the_limit_passes(self):
        line = b"x" * 98 + b"\r\n"
        self.assertEqual(scan([line * 100 + b".\r\n"])[1], "")
        self.assertIn("larger", scan([line * 100 + b"\r\n.\r\n"])[1])
        stuffed = b"." + line
        self.assertEqual(scan([stuffed * 100 + b".\r\n"])[1], "")  # as SIZE counts

    def test_what_is_too_big_is_not_kept(self):
        scanner = DataScanner(10_000)
        for _ in range(500):
            self.assertLessEqual(len(scanner.feed(b"y" * 90 + b"\r\n")), 92)
        self.assertEqual(scanner.feed(b"z" * 5000), b"")
        self.assertLess(len(scanner._held), 5)

    @given(octets=OCTETS, cuts=CUTS, ends=st.sampled_from(LineEnds))
    @settings(max_examples=200)
    def test_any_split_gives_the_same(self, octets, cuts, ends):
        self.assertEqual(
            scan(pieces(octets, cuts), ends=ends), scan([octets], ends=ends)
        )

    @given(octets=OCTETS)
    @settings(max_examples=150)
    def test_it_finds_what_a_reader_of_lines_finds(self, octets):
        octets += b"\r\n.\r\n"
        content, fault, ended, rest = scan([octets])
        self.assertTrue(ended)
        wanted, behind = slowly(octets)
        self.assertEqual(rest, behind)
        bad = re.search(rb"\r(?!\n)|(?<!\r)\n|\0", wanted) or any(
            len(line) > 998 for line in wanted.split(b"\r\n")
        )
        self.assertEqual(bool(fault), bool(bad) or len(wanted) > 10_000)
        self.assertEqual(content, b"" if fault else wanted)


class LoneLfTests(SynchronousTestCase):
    """`bare_lf = "normalize"` for a listed network."""

    def test_a_client_that_ends_commands_in_lf_ends_messages_so(self):
        for octets, content in (
            (b"a\n..b\n.\nrest", b"a\r\n.b\r\n"),
            (b"a\r\n..b\r\n.\r\nrest", b"a\r\n.b\r\n"),
            (b"a\n.\r\nrest", b"a\r\n"),
            (b".\nrest", b""),
        ):
            for segments in ([octets], pieces(octets, EACH_OCTET)):
                self.assertEqual(
                    scan(segments, ends=LineEnds.BARE), (content, "", True, b"rest")
                )

    def test_a_client_that_ends_commands_in_crlf_cannot_end_a_message_in_lf(self):
        """What a relay passes on unseen stays text."""
        octets = b"a\n.\nMAIL FROM:<x@y>\n..b\r\n..c\r\n.\r\nrest"
        self.assertEqual(
            scan([octets], ends=LineEnds.NORMALIZE),
            (b"a\r\n.\r\nMAIL FROM:<x@y>\r\n..b\r\n.c\r\n", "", True, b"rest"),
        )

    def test_a_bare_cr_stays_a_fault(self):
        for ends in (LineEnds.BARE, LineEnds.NORMALIZE):
            self.assertIn("CR", scan([b"a\rb\r\n.\r\n"], ends=ends)[1])
