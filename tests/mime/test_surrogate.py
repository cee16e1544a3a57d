"""Surrogates: columns and octets agree with the message that is never made whole."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadMessage
from mailtwist.mailbox.model import Column
from mailtwist.mime.index import KEPT_FIELDS, index
from mailtwist.mime.parse import parse
from mailtwist.mime.slices import in_one_go
from mailtwist.mime.surrogate import Edit, Edits, Surrogate, surrogate

from .odd_messages import HOSTILE

COLUMNS = (Column.ENVELOPE, Column.BODY, Column.BODYSTRUCTURE, Column.FIELDS)

NESTED = """\
From: Jörg <jörg@example.test>\r
Subject: für alle\r
Message-ID: <ö@example.test>\r
Content-Type: multipart/mixed; boundary=b; x="ä"\r
\r
ä preamble\r
--b\r
Content-Type: text/plain; charset=utf-8; name="Bär"\r
Content-Description: ein Bär und noch einer und ein dritter und ein vierter, fünfter\r
\r
Grüße\r
--b\r
Content-Type: message/rfc822\r
\r
Subject: Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich\r
To: ü@example.test, a@example.test\r
Content-Type: multipart/alternative; boundary=c\r
\r
--c\r
Content-ID: <plain>\r
\r
a\r
--c\r
Content-Disposition: inline; filename=ö\r
\r
b\r
--c--\r
--b--\r
Ende ö\r
""".encode()


def made(octets):
    return in_one_go(surrogate(parse(octets), octets, KEPT_FIELDS))


def read(octets, edits, start=0, count=None):
    """Octets of the surrogate, as they are read for a client."""
    if count is None:
        count = len(octets) + edits.growth
    found = []
    for piece in edits.pieces(start, count):
        if isinstance(piece, tuple):
            piece = octets[piece[0] : piece[0] + piece[1]]
        found.append(piece)
    return b"".join(found)


class SurrogateTests(SynchronousTestCase):
    def test_ascii_headers_have_none(self):
        self.assertIsNone(made(b"Subject: a\r\n\r\nf\xc3\xbcr"))
        self.assertEqual(index(b"Subject: a\r\n\r\n")[Column.SURROGATE], b"")

    def test_columns_are_those_of_the_message_with_its_fields_exchanged(self):
        found = made(NESTED)
        whole = read(NESTED, found.edits)
        self.assertEqual(len(whole), len(NESTED) + found.edits.growth)
        wanted = index(whole)
        self.assertEqual(wanted[Column.SURROGATE], b"", "all of it is ASCII")
        for column in (*COLUMNS, Column.PARTS):
            self.assertEqual(found.columns[column], wanted[column], column)
        self.assertIn(b"\r\nDowngraded-Message-ID: ", whole)

    def test_a_field_that_is_no_utf8_goes_as_a_literal(self):
        octets = "Subject: f\xfcr\r\nFrom: ö\r\n\r\n".encode("latin-1")
        self.assertIn(b" {3}\r\nf\xfcr ", made(octets).columns[Column.ENVELOPE])

    def test_a_part_of_a_field_in_utf8_is_not_quoted_for_a_client_without(self):
        octets = b"From: f\xc3\xbcr <a@b>, f\xfcr <c@d>\r\n\r\n"
        self.assertIn(b"{4}\r\nf\xc3\xbcr", made(octets).columns[Column.ENVELOPE])
        self.assertIn(b'"f\xc3\xbcr"', index(octets)[Column.ENVELOPE])

    @given(octets=HOSTILE)
    def test_any_octets_have_columns_or_none(self, octets):
        found = made(octets)
        if found is not None:
            again = Surrogate.decode(found.encode())
            self.assertEqual(again.columns, found.columns)
            self.assertEqual(again.edits.edits, found.edits.edits)
            read(octets, found.edits)

    @given(octets=st.binary(max_size=60))
    def test_damaged_octets_of_the_cache_are_told_as_such(self, octets):
        try:
            found = Surrogate.decode(octets)
        except BadMessage:
            return
        self.assertEqual(set(found.columns), {*COLUMNS, Column.PARTS})


GAPS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.binary(max_size=6)), max_size=6
)


def edits_of(gaps):
    """Edits with these gaps before them, lengths and texts; and a message for them."""
    found, at = [], 0
    for gap, length, text in gaps:
        found.append(Edit(at + gap, at + gap + length, text))
        at += gap + length
    return Edits(tuple(found)), bytes(n % 251 for n in range(at + 7))


class EditsTests(SynchronousTestCase):
    @given(gaps=GAPS, start=st.integers(0, 80), count=st.integers(0, 80))
    def test_any_range_is_that_of_the_whole(self, gaps, start, count):
        edits, octets = edits_of(gaps)
        whole, at = b"", 0
        for edit in edits.edits:
            whole += octets[at : edit.start] + edit.text
            at = edit.stop
        whole += octets[at:]
        self.assertEqual(read(octets, edits), whole)
        count = max(0, min(count, len(whole) - start))
        self.assertEqual(
            read(octets, edits, start, count), whole[start : start + count]
        )

    @given(gaps=GAPS)
    def test_ranges_of_what_is_between_keep_their_octets(self, gaps):
        gaps = [(gap + 1, length + 1, text) for gap, length, text in gaps]
        edits, octets = edits_of(gaps)
        at = 0
        for edit in edits.edits:
            place = edits.range((at, edit.start - at))
            self.assertEqual(read(octets, edits, *place), octets[at : edit.start])
            at = edit.stop
