"""Tests for mailtwist.mime.structure: RFC 3501 §7.4.2 written out by hand."""

import re

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.parse import parse
from mailtwist.mime.structure import body, bodystructure, envelope, string

from .odd_envelopes import ENVELOPES
from .odd_messages import HOSTILE, MESSAGES, crlf
from .odd_structures import PLAIN, STRUCTURES
from .test_part import NESTED

_TOKEN = re.compile(rb'[()]|"(?:[^"\\\r\n]|\\["\\])*"|\{(\d+)\}\r\n|NIL|\d+| ')


def read(octets):
    """The nested lists of a strictly checked response; raises ValueError."""
    at, stack = 0, [[]]
    while at < len(octets):
        match = _TOKEN.match(octets, at)
        if not match:
            raise ValueError(octets[at : at + 40])
        at = match.end()
        token = match[0]
        if token == b"(":
            stack.append([])
        elif token == b")":
            done = stack.pop()
            stack[-1].append(done)
        elif match[1]:
            literal = octets[at : at + int(match[1])]
            if len(literal) != int(match[1]) or b"\0" in literal:
                raise ValueError(literal)
            stack[-1].append(literal)
            at += len(literal)
        elif token != b" ":
            stack[-1].append(token)
    (whole,) = stack
    return whole


class StringTests(SynchronousTestCase):
    def test_forms(self):
        for octets, want in [
            (b"", b'""'),
            (b"a b", b'"a b"'),
            (b'"\\', b'"\\"\\\\"'),
            (b"a\r\nb", b"{4}\r\na\r\nb"),
            (b"\xff", b"{1}\r\n\xff"),
        ]:
            self.assertEqual(string(octets), want)

    def test_a_long_string_is_a_literal(self):
        self.assertEqual(string(b"x" * 5000), b"{5000}\r\n" + b"x" * 5000)


class EnvelopeTests(SynchronousTestCase):
    def test_envelopes(self):
        for header, want, reason in ENVELOPES:
            self.assertEqual(envelope(crlf(header)), want, reason)

    @given(octets=HOSTILE)
    def test_any_header_gives_ten_members(self, octets):
        (members,) = read(envelope(octets))
        self.assertEqual(len(members), 10)


class StructureTests(SynchronousTestCase):
    def test_structures(self):
        for message, want, reason in STRUCTURES:
            octets = crlf(message)
            self.assertEqual(bodystructure(parse(octets), octets), want, reason)

    def test_body_has_no_extension_data(self):
        octets = crlf(STRUCTURES[2][0])
        self.assertEqual(
            body(parse(octets), octets),
            b'("text" "html" ("charset" "UTF-8") "<1@x>" "d" "base64" 6 1)',
        )
        octets = crlf(STRUCTURES[6][0])
        self.assertEqual(body(parse(octets), octets), b'((%b 1 0) "mixed")' % PLAIN)

    def test_parts_of_parts(self):
        (fields,) = read(body(parse(NESTED), NESTED))
        self.assertEqual(
            [part[0] for part in fields[:3]],
            [b'"text"', b'"application"', b'"message"'],
        )
        self.assertEqual(fields[2][8][-1], b'"mixed"')
        self.assertEqual(fields[3][1][8][1][-1], b'"alternative"')
        self.assertEqual(fields[5], b'"mixed"')

    @given(octets=HOSTILE)
    def test_any_message_gives_a_well_formed_list(self, octets):
        part = parse(octets)
        for rendered in (body(part, octets), bodystructure(part, octets)):
            (fields,) = read(rendered)
            self.assertTrue(isinstance(fields[0], list) or len(fields) >= 7)

    def test_lines_of_nested_messages_add_up(self):
        for message, _, reason in MESSAGES:
            octets = crlf(message)
            part = parse(octets)
            if part.encapsulates:
                (fields,) = read(body(part, octets))
                start, count = part.body
                lines = octets[start : start + count].count(b"\n")
                self.assertEqual(int(fields[-1]), lines, reason)
