from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.smtp.faults import MailLoop
from mailtwist.smtp.header import MOST_HEADER, HeaderLook

from .splits import CUTS, pieces

DATE, MESSAGE_ID = b"Date: now\r\n", b"Message-ID: <1@x>\r\n"


def passed(segments, *, submitted=True):
    look = HeaderLook((DATE, MESSAGE_ID) if submitted else None)
    return b"".join([look.feed(segment) for segment in segments]) + look.finish()


class HeaderLookTests(SynchronousTestCase):
    def test_what_is_missing_is_added(self):
        for octets, added in (
            (b"Subject: x\r\n\r\ntext\r\n", DATE + MESSAGE_ID),
            (b"DATE: x\r\n\r\ntext\r\n", MESSAGE_ID),
            (b"A: x\r\nmessage-id : <2@y>\r\n\r\n", DATE),
            (b"Date: x\r\nMessage-Id: <2@y>\r\n\r\n", b""),
            (b"Subject: x\r\n\r\nDate: in the text\r\n", DATE + MESSAGE_ID),
            (b"Subject: x\r\n Date: folded\r\n\r\n", DATE + MESSAGE_ID),
            (b"Resent-Date: x\r\n\r\n", DATE + MESSAGE_ID),
            (b"Subject: no text\r\n", DATE + MESSAGE_ID),
            (b"\r\ntext\r\n", DATE + MESSAGE_ID),
            (b"", DATE + MESSAGE_ID),
        ):
            self.assertEqual(passed([octets]), added + octets)
            self.assertEqual(passed([octets], submitted=False), octets)

    def test_a_message_without_header_gets_the_line_that_ends_it(self):
        """Otherwise the trace fields in front would take its first line in."""
        for octets in (b"hello\r\nyou: there\r\n", b" folded\r\n", b"From me\r\n\r\nx"):
            self.assertEqual(passed([octets], submitted=False), b"\r\n" + octets)
        self.assertEqual(passed([b"hello\r\n"]), DATE + MESSAGE_ID + b"\r\nhello\r\n")

    def test_a_loop_is_seen(self):
        hop = b"Received: from a by b; now\r\n"
        octets = hop * 100 + b"\r\n" + hop * 5
        self.assertEqual(passed([octets], submitted=False), octets)
        for segments in ([hop * 101 + b"\r\n"], [hop] * 101 + [b"\r\n"]):
            self.assertRaises(MailLoop, passed, segments, submitted=False)

    def test_no_more_than_the_limit_is_held(self):
        look = HeaderLook((DATE, MESSAGE_ID))
        line = b"X-Long: " + b"y" * 900 + b"\r\n"
        held = 0
        while not (out := look.feed(line)):
            held += len(line)
            self.assertLessEqual(held, MOST_HEADER)
        self.assertTrue(out.startswith(DATE + MESSAGE_ID + line))
        self.assertEqual(len(out), held + len(line) + len(DATE + MESSAGE_ID))
        self.assertEqual(look.feed(b"more"), b"more")

    @given(
        octets=st.lists(
            st.sampled_from(
                [b"\r\n", b"Date: x\r\n", b"a", b"Received: x\r\n", b": y\r\n"]
            ),
            max_size=12,
        ).map(b"".join),
        cuts=CUTS,
    )
    @settings(max_examples=150)
    def test_any_split_gives_the_same(self, octets, cuts):
        self.assertEqual(passed(pieces(octets, cuts)), passed([octets]))
