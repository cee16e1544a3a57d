"""Tests for mailtwist.mime.header."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.header import fields, select, table, unfold, unfold_all

LINES = st.lists(
    st.sampled_from([b"A: b", b" ", b"\t", b"x", b"\r\n", b"\n", b":", b"\0", b"\xff"]),
    max_size=30,
).map(b"".join)


class FieldsTests(SynchronousTestCase):
    def test_fields_keep_their_octets_and_their_order(self):
        header = b"To: a\r\nSubject : x\r\n\ty\r\nto:b\r\n\r\n"
        self.assertEqual(
            fields(header),
            [
                (b"To", b"To: a\r\n"),
                (b"Subject", b"Subject : x\r\n\ty\r\n"),
                (b"to", b"to:b\r\n"),
            ],
        )

    def test_odd_headers(self):
        for header, want, reason in [
            (b"", [], "no header at all"),
            (b"\r\n", [], "only the blank line"),
            (b"A: b", [(b"A", b"A: b")], "no line end"),
            (b"A: b\n", [(b"A", b"A: b\n")], "bare LF"),
            (
                b"junk\r\nA: b\r\n",
                [(b"", b"junk\r\n"), (b"A", b"A: b\r\n")],
                "no colon",
            ),
            (b" x: y\r\n", [(b" x", b" x: y\r\n")], "folded with nothing before it"),
            (b"A: b\r\n \r\n c\r\n", [(b"A", b"A: b\r\n \r\n c\r\n")], "white line"),
            (b"A: b\r\n\r\nC: d\r\n", [(b"A", b"A: b\r\n")], "a body behind it"),
            (b":\r\n", [(b"", b":\r\n")], "nothing but a colon"),
        ]:
            self.assertEqual(fields(header), want, reason)

    @given(header=LINES)
    def test_no_octet_before_the_blank_line_is_lost(self, header):
        raw = b"".join(raw for _, raw in fields(header))
        self.assertTrue(header.startswith(raw))
        rest = header[len(raw) :]
        self.assertTrue(not rest or rest.startswith((b"\r\n", b"\n")), rest)

    def test_table_gathers_repeated_fields(self):
        values = table(fields(b"To: a\r\nTO:b\r\nCc: c\r\n\r\n"))
        self.assertEqual(values, {b"to": [b" a\r\n", b"b\r\n"], b"cc": [b" c\r\n"]})


class SelectTests(SynchronousTestCase):
    header = b"From: a\r\nTo: b\r\n c\r\nSubject: d\r\njunk\r\n\r\n"

    def test_chosen_fields_and_a_blank_line(self):
        names = frozenset([b"to", b"from"])
        self.assertEqual(select(self.header, names), b"From: a\r\nTo: b\r\n c\r\n\r\n")

    def test_inverted_gives_all_others(self):
        names = frozenset([b"to", b"from"])
        self.assertEqual(
            select(self.header, names, inverted=True), b"Subject: d\r\njunk\r\n\r\n"
        )

    def test_nothing_found_is_the_blank_line(self):
        self.assertEqual(select(self.header, frozenset([b"cc"])), b"\r\n")

    def test_a_last_line_without_its_end_gets_one(self):
        self.assertEqual(select(b"To: a", frozenset([b"to"])), b"To: a\r\n\r\n")


class UnfoldTests(SynchronousTestCase):
    def test_cases(self):
        for value, want, reason in [
            (b" a\r\n", b"a", "white space around"),
            (b" a\r\n b\r\n", b"a b", "a fold"),
            (b"a\r\n\t  b", b"a b", "a fold is one space"),
            (b"a\r\n \r\n b", b"a b", "a white line in the fold"),
            (b"a  b", b"a  b", "other white space stays"),
            (b"a\rb", b"a b", "a bare CR ends no line"),
            (b"a\nb", b"a b", "a bare LF is no fold"),
            (b"\r\n a", b"a", "folded at once"),
        ]:
            self.assertEqual(unfold(value), want, reason)

    def test_a_whole_header_keeps_its_lines(self):
        self.assertEqual(unfold_all(b"A: b\r\n c\r\nD: e\r\n"), b"A: b c\r\nD: e\r\n")
