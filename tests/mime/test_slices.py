"""Tests for mailtwist.mime.slices, and for the parser that works in slices."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime import slices
from mailtwist.mime.index import index, indexed
from mailtwist.mime.slices import find, in_one_go, line_ends

from .odd_messages import MESSAGES, crlf

OCTETS = [crlf(octets) for octets, *_ in MESSAGES]
TEXT = st.binary(max_size=40).map(lambda octets: octets.replace(b"\xff", b"\n"))


class SliceTests(SynchronousTestCase):
    @given(text=TEXT, needle=st.binary(min_size=1, max_size=3), size=st.integers(1, 9))
    def test_any_slices_find_and_count_the_same(self, text, needle, size):
        self.patch(slices, "SLICE_OCTETS", size)
        for start in (0, 3):
            for end in (len(text), len(text) // 2):
                at = in_one_go(find(text, needle, start, end))
                self.assertEqual(at, text.find(needle, start, end))
                count = in_one_go(line_ends(text, start, end))
                self.assertEqual(count, text[start:end].count(b"\n"))

    def test_small_slices_index_a_message_the_same(self):
        whole = [index(message) for message in OCTETS]
        for size in (1, 7, 100):
            self.patch(slices, "SLICE_OCTETS", size)
            for message, wanted in zip(OCTETS, whole, strict=True):
                self.assertEqual(index(message), wanted)

    def test_a_large_message_is_left_often(self):
        head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        for message in (
            b"\r\n" + b"text\r\n" * 2_000_000,
            head + b"x" * 12_000_000 + b"\r\n--b--\r\n",
        ):
            pauses = sum(1 for _ in indexed(message))
            self.assertGreaterEqual(pauses, len(message) // slices.SLICE_OCTETS)

    def test_a_small_message_is_done_at_once(self):
        self.assertEqual(list(indexed(b"Subject: x\r\n\r\n" + b"x\r\n" * 9000)), [])
