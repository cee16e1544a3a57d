"""Tests for mailtwist.mime.structure: RFC 3501 §7.4.2 written out by hand."""

import re

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.parse import parse
from mailtwist.mime.structure import body, bodystructure, envelope, string

from .odd_messages import HOSTILE, MESSAGES, crlf
from .test_part import NESTED

ABC = b'(("Ann" NIL "a" "b"))'
ENVELOPES = [
    (
        b"Date: 1 Jan 2026 00:00:00 +0000\nSubject: Hello\nFrom: Ann <a@b>\n"
        b"Sender: s@b\nReply-To: r@b\nTo: c@d, e@f\nCc: g@h\nBcc: i@j\n"
        b"In-Reply-To: <1@b>\nMessage-ID: <2@b>\n\n",
        b'("1 Jan 2026 00:00:00 +0000" "Hello" %b ((NIL NIL "s" "b")) '
        b'((NIL NIL "r" "b")) ((NIL NIL "c" "d")(NIL NIL "e" "f")) '
        b'((NIL NIL "g" "h")) ((NIL NIL "i" "j")) "<1@b>" "<2@b>")' % ABC,
        "every member",
    ),
    (b"", b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", "nothing"),
    (
        b"From: Ann <a@b>\nSender:\nReply-To: \n\n",
        b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (ABC, ABC, ABC),
        "an empty Sender or Reply-To is as the From",
    ),
    (
        b"Date:\nSubject:\nFrom:\nTo:\nIn-Reply-To:\nMessage-ID:\n\n",
        b'("" "" NIL NIL NIL NIL NIL NIL "" "")',
        "present but empty",
    ),
    (
        b'Subject: say "hi" \\o/\n\n',
        rb'(NIL "say \"hi\" \\o/" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "quotes and backslashes",
    ),
    (
        b"Subject: \xc3\xa9\n\n",
        b"(NIL {2}\r\n\xc3\xa9 NIL NIL NIL NIL NIL NIL NIL NIL)",
        "8-bit goes in a literal",
    ),
    (
        b"Subject: a\0b\n\n",
        b"(NIL {5}\r\na\xef\xbf\xbdb NIL NIL NIL NIL NIL NIL NIL NIL)",
        "NUL has no form in IMAP",
    ),
    (
        b"Subject: =?utf-8?q?a?=\n\t=?utf-8?q?b?=\n\n",
        b'(NIL "=?utf-8?q?a?= =?utf-8?q?b?=" NIL NIL NIL NIL NIL NIL NIL NIL)',
        "encoded words as they stand, on one line",
    ),
    (
        b"To: G: a@b;\nCc: undisclosed-recipients:;\n\n",
        b'(NIL NIL NIL NIL NIL ((NIL NIL "G" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) '
        b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)',
        "groups",
    ),
    (
        b"From: <@r,@s:a@b>\n\n",
        b"(NIL NIL "
        + b" ".join([b'((NIL "@r,@s" "a" "b"))'] * 3)
        + b" NIL NIL NIL NIL NIL)",
        "a source route",
    ),
    (
        b"Subject: first\nSUBJECT: second\nTo: a@b\nTo: c@d\n\n",
        b'(NIL "first" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) '
        b"NIL NIL NIL NIL)",
        "repeated fields: addresses are joined, of others the first counts",
    ),
]

PLAIN = b'"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"'
STRUCTURES = [
    (b"", b"(%b 0 0 NIL NIL NIL NIL)" % PLAIN, "no octet"),
    (b"\na\nb", b"(%b 4 1 NIL NIL NIL NIL)" % PLAIN, "lines are line ends"),
    (
        b"Content-Type: TEXT/HTML; Charset=UTF-8\nContent-Transfer-Encoding: BASE64\n"
        b"Content-ID: <1@x>\nContent-Description: d\nContent-MD5: m==\n"
        b'Content-Disposition: attachment; filename="a b"\n'
        b"Content-Language: en, de\nContent-Location: http://x/\n\nYQ==\n",
        b'("text" "html" ("charset" "UTF-8") "<1@x>" "d" "base64" 6 1 "m==" '
        b'("attachment" ("filename" "a b")) ("en" "de") "http://x/")',
        "every field",
    ),
    (
        b"Content-Type: image/gif\nContent-Disposition: inline\n\nx",
        b'("image" "gif" NIL NIL NIL "7bit" 1 NIL ("inline" NIL) NIL NIL)',
        "no lines and no default charset in other types",
    ),
    (
        b"Content-Type: message/rfc822\n\nSubject: x\n\na\nb\n",
        b'("message" "rfc822" NIL NIL NIL "7bit" 20 '
        b'(NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) (%b 6 2 NIL NIL NIL NIL) 4 '
        b"NIL NIL NIL NIL)" % PLAIN,
        "a message has its envelope, structure and lines",
    ),
    (
        b"Content-Type: message/delivery-status\n\nx",
        b'("message" "delivery-status" NIL NIL NIL "7bit" 1 NIL NIL NIL NIL)',
        "other message types have none of these",
    ),
    (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b--\n",
        b'((%b 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)' % PLAIN,
        "multipart has no basic fields",
    ),
    (
        b"Content-Type: multipart/mixed\n\nx\n",
        b'((%b 3 1 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)' % PLAIN,
        "the grammar wants a part",
    ),
    (
        b"Content-Type: multipart/digest; boundary=b\n\n--b\n\n\na\n--b--\n",
        b'(("message" "rfc822" NIL NIL NIL "7bit" 3 '
        b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (%b 1 0 NIL NIL NIL NIL) 1 "
        b'NIL NIL NIL NIL) "digest" ("boundary" "b") NIL NIL NIL)' % PLAIN,
        "the default type in a digest",
    ),
    (
        b"Content-Type: application/x; name*0*=utf-8''%41; name*1=b\n\n",
        b'("application" "x" ("name*" "utf-8\'\'%41b") NIL NIL "7bit" 0 '
        b"NIL NIL NIL NIL)",
        "RFC 2231 continuations are joined",
    ),
]

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
