"""Tests for mailtwist.mime.parameters."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.parameters import (
    MOST,
    content_type,
    decoded_parameter,
    disposition,
    token,
)

PIECES = st.lists(
    st.sampled_from(
        [b"text", b"/", b"plain", b";", b"=", b'"', b"\\", b"(", b")", b" ", b"a*0*"]
        + [b"\r\n ", b"%41", b"'", b"\xff", b"\0", b"*", b"1"]
    ),
    max_size=25,
).map(b"".join)


class ContentTypeTests(SynchronousTestCase):
    def test_cases(self):
        for value, want in [
            (b" text/plain\r\n", (b"text", b"plain", ())),
            (b"TEXT/HTML", (b"text", b"html", ())),
            (b"text/x; charset=UTF-8", (b"text", b"x", ((b"charset", b"UTF-8"),))),
            (b'a/b; c="d;e"; f=g', (b"a", b"b", ((b"c", b"d;e"), (b"f", b"g")))),
            (b'a/b; c="d \\"e\\" f"', (b"a", b"b", ((b"c", b'd "e" f'),))),
            (b"a/b;\r\n\tC=d;", (b"a", b"b", ((b"c", b"d"),))),
            (b"a / b ; c = d", (b"a", b"b", ((b"c", b"d"),))),
            (b"a/b (x); c=d (y)", (b"a", b"b", ((b"c", b"d"),))),
            (b"a/b; c=(y) d", (b"a", b"b", ((b"c", b"d"),))),
            (b'a/b; c=(y)"d"', (b"a", b"b", ((b"c", b"d"),))),
            (b"(x) a/b", (b"a", b"b", ())),
            (b"a/b; n=o p.txt; c=d", (b"a", b"b", ((b"n", b"o p.txt"), (b"c", b"d")))),
            (b'a/b; name="open', (b"a", b"b", ((b"name", b"open"),))),
            (b'a/b; name="open\\', (b"a", b"b", ((b"name", b"open"),))),
            (b"a/b; x=c/d:e", (b"a", b"b", ((b"x", b"c/d:e"),))),
            (b"a/b; x=", (b"a", b"b", ((b"x", b""),))),
            (b"a/b; x", (b"a", b"b", ())),
            (b"a/b; ;; x=y", (b"a", b"b", ((b"x", b"y"),))),
            (b"a/b; x=1; x=2", (b"a", b"b", ((b"x", b"1"), (b"x", b"2")))),
            (b"text; charset=x", (b"text", b"", ((b"charset", b"x"),))),
            (b"text", (b"text", b"", ())),
            (b"/plain", None),
            (b"", None),
            (b"\xff\xfe", (b"\xff\xfe", b"", ())),
        ]:  # fmt: skip
            self.assertEqual(content_type(value), want, value)

    @given(value=PIECES)
    def test_any_octets_are_read(self, value):
        found = content_type(value)
        if found is not None:
            self.assertLessEqual(len(found[2]), MOST)
            for name in (b"a", b"charset"):
                self.assertIsInstance(decoded_parameter(found[2], name) or "", str)

    def test_parameters_are_limited(self):
        found = content_type(b"a/b" + b"; x=y" * 9999)
        self.assertEqual(len(found[2]), MOST)


class LongFormTests(SynchronousTestCase):
    """RFC 2231."""

    def test_continuations_are_put_together(self):
        for value, want in [
            (b"x; f*0=ab; f*1=cd", ((b"f", b"abcd"),)),
            (b"x; f*1=cd; f*0=ab; g=1", ((b"f", b"abcd"), (b"g", b"1"))),
            (b"x; f*0*=utf-8''a%20; f*1=\"b%\"", ((b"f*", b"utf-8''a%20b%25"),)),
            (b"x; f*0=a; f*1*=%41", ((b"f*", b"''a%41"),)),
            (b"x; f*=utf-8'de'%C3%A9", ((b"f*", b"utf-8'de'%C3%A9"),)),
            (b"x; f*10=k; f*9=j; f*0=a", ((b"f", b"ajk"),)),
        ]:
            self.assertEqual(disposition(value), (b"x", want), value)

    def test_for_people(self):
        for value, want in [
            (b"x; f=plain.txt", "plain.txt"),
            (b"x; f*=utf-8''%C3%A9%20x", "\xe9 x"),
            (b"x; f=other; f*=utf-8''%C3%A9", "\xe9"),
            (b"x; f*0*=utf-8''%C3; f*1*=%A9", "\xe9"),
            (b"x; f*=iso-8859-1''%E9", "\xe9"),
            (b"x; f*=nonsense''%E9", "\xe9"),
            (b"x; f=\xc3\xa9", "\xe9"),
            (b"x; f=\xe9", "\xe9"),
            (b"x", None),
        ]:
            kind, parameters = disposition(value)
            self.assertEqual(kind, b"x")
            self.assertEqual(decoded_parameter(parameters, b"f"), want, value)

    def test_programs_read_both_forms(self):
        self.assertEqual(
            token(content_type(b'a/b; boundary="x "')[2], b"boundary"), b"x"
        )
        found = content_type(b"a/b; boundary*=us-ascii''x%2By")[2]
        self.assertEqual(token(found, b"boundary"), b"x+y")
        self.assertIsNone(token((), b"boundary"))
