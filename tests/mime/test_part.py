"""Tests for mailtwist.mime.part."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailError
from mailtwist.mime.parse import parse
from mailtwist.mime.part import Part

from .odd_messages import HOSTILE, crlf

PARAMETERS = st.lists(
    st.tuples(st.binary(max_size=5), st.binary(max_size=9)), max_size=3
).map(tuple)
RANGE = st.tuples(st.integers(0, 2**40), st.integers(0, 2**40))
OPTIONAL = st.none() | st.binary(max_size=9)
PARTS = st.recursive(
    st.just(()),
    lambda children: st.lists(
        st.builds(
            Part,
            header=RANGE,
            body=RANGE,
            media_type=st.sampled_from(["text", "multipart", "message", "\xff"]),
            subtype=st.text("abc", max_size=3),
            children=children,
            parameters=PARAMETERS,
            encoding=st.sampled_from(["7bit", "base64", ""]).filter(len),
            content_id=OPTIONAL,
            description=OPTIONAL,
            md5=OPTIONAL,
            disposition=st.none() | st.tuples(st.binary(min_size=1), PARAMETERS),
            language=st.lists(st.binary(max_size=3), max_size=2).map(tuple),
            location=OPTIONAL,
        ),
        max_size=2,
    ).map(tuple),
    max_leaves=4,
)

# RFC 3501 §6.4.5's own example: the part specifiers of a message with everything in it.
NESTED = crlf(
    b"""\
Content-Type: multipart/mixed; boundary=top

--top
Content-Type: text/plain

1
--top
Content-Type: application/octet-stream

2
--top
Content-Type: message/rfc822

Content-Type: multipart/mixed; boundary=3

--3
Content-Type: text/plain

3.1
--3
Content-Type: application/octet-stream

3.2
--3--

--top
Content-Type: multipart/mixed; boundary=4

--4
Content-Type: image/gif

4.1
--4
Content-Type: message/rfc822

Content-Type: multipart/mixed; boundary=42

--42
Content-Type: text/plain

4.2.1
--42
Content-Type: multipart/alternative; boundary=422

--422
Content-Type: text/plain

4.2.2.1
--422
Content-Type: text/richtext

4.2.2.2
--422--

--42--

--4--

--top
Content-Type: message/rfc822

Subject: plain

5.1
--top--
"""
)


def body(part, octets):
    start, count = part.body
    return octets[start : start + count]


class SectionTests(SynchronousTestCase):
    def test_numbers_of_nested_parts(self):
        message = parse(NESTED)
        for name in [
            "1",
            "2",
            "3.1",
            "3.2",
            "4.1",
            "4.2.1",
            "4.2.2.1",
            "4.2.2.2",
            "5.1",
        ]:
            part = message.section(tuple(map(int, name.split("."))))
            self.assertEqual(body(part, NESTED), name.encode())

    def test_parts_that_hold_parts(self):
        message = parse(NESTED)
        for numbers, media_type in [
            ((), "multipart"),
            ((3,), "message"),
            ((4,), "multipart"),
            ((4, 2), "message"),
            ((4, 2, 2), "multipart"),
            ((5,), "message"),
        ]:
            self.assertEqual(message.section(numbers).media_type, media_type)

    def test_numbers_that_name_nothing(self):
        message = parse(NESTED)
        for numbers in [(0,), (6,), (1, 1), (3, 3), (4, 2, 3), (5, 2), (5, 1, 1)]:
            self.assertIsNone(message.section(numbers), numbers)

    def test_a_message_of_one_part_is_its_part_1(self):
        message = parse(b"Subject: x\r\n\r\nbody")
        self.assertIs(message.section((1,)), message)
        for numbers in [(2,), (1, 1), (0,)]:
            self.assertIsNone(message.section(numbers))

    def test_a_message_that_is_only_another_message(self):
        octets = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody"
        message = parse(octets)
        self.assertEqual(body(message.section((1,)), octets), octets[32:])
        self.assertEqual(body(message.section((1, 1)), octets), b"body")
        self.assertIsNone(message.section((1, 1, 1)))


class EncodeTests(SynchronousTestCase):
    @given(parts=PARTS)
    def test_a_tree_comes_back(self, parts):
        for part in parts:
            self.assertEqual(Part.decode(part.encode()), part)

    @given(octets=HOSTILE)
    def test_what_was_parsed_comes_back(self, octets):
        part = parse(octets)
        self.assertEqual(Part.decode(part.encode()), part)

    def test_a_plain_message_costs_little(self):
        self.assertLess(len(parse(b"Subject: x\r\n\r\nbody").encode()), 40)

    @given(
        octets=st.binary(max_size=40)
        | st.text('1[]",0n{}', max_size=20).map(str.encode)
    )
    def test_other_octets_raise_a_mail_error(self, octets):
        for damaged in (octets, b"1" + octets, b"1[0,1,2,3," + octets):
            try:
                self.assertIsInstance(Part.decode(damaged), Part)
            except MailError as fault:
                self.assertEqual(fault.status, "5.6.0")
