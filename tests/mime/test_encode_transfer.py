from email import message_from_bytes
from email.policy import SMTP

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.encode_transfer import (
    SLICE,
    CannotConvert,
    edits,
    rewritten,
    utf8_headers,
)
from mailtwist.mime.parse import MOST_HEADER
from mailtwist.mime.slices import SLICE_OCTETS, in_one_go

from .odd_messages import HOSTILE, MESSAGES


def found(octets, *, eight_bit=False):
    """The edits; what a generator returns."""
    return in_one_go(edits(octets, eight_bit=eight_bit))


def converted(octets, *, eight_bit=False):
    return b"".join(rewritten(octets, found(octets, eight_bit=eight_bit)))


def mail(headers, body):
    return b"".join(b"%s\r\n" % line for line in headers) + b"\r\n" + body


TEXT = [b"MIME-Version: 1.0", b"Content-Type: text/plain; charset=utf-8"]
EIGHT = b"Content-Transfer-Encoding: 8bit"
WORDS = "Gr\u00fc\u00dfe an alle, die das hier lesen k\u00f6nnen\r\n".encode()


def multipart(subtype, *parts, encoding=b"8bit", parameters=b""):
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return mail(
        [
            b"MIME-Version: 1.0",
            b"Content-Type: multipart/%s; boundary=b%s" % (subtype, parameters),
            b"Content-Transfer-Encoding: " + encoding,
        ],
        body,
    )


class LinesTests(SynchronousTestCase):
    def test_what_a_part_says_of_itself_is_not_believed(self):
        picture = [b"Content-Type: image/x", b"Content-Transfer-Encoding: "]
        for said in (b"binary", b"8bit", b"7bit"):
            body = b"a\0b\rc\nd\xff"
            octets = mail([picture[0], picture[1] + said], body)
            out = converted(octets, eight_bit=True)
            told = message_from_bytes(out, policy=SMTP)
            self.assertEqual(told["Content-Transfer-Encoding"], "base64")
            self.assertEqual(told.get_payload(decode=True), body)

    def test_octets_around_parts_are_lines(self):
        part = mail([b"Content-Transfer-Encoding: binary"], b"\xff\r\n")
        octets = multipart(b"mixed", part) + b"a\0b\rc\nd\xff"
        out = converted(octets, eight_bit=True)
        self.assertTrue(out.endswith(b"a?b?c?d\xff"), out)

    def test_what_nobody_may_change_is_a_fault(self):
        signed = mail([EIGHT], b"a\0b\r\n")
        for octets in (
            mail([b"Subject: a\0b"], b""),
            mail([b"Content-Transfer-Encoding: base64"], b"YQ==\nYQ=="),
            multipart(b"signed", signed),
        ):
            self.assertRaises(CannotConvert, converted, octets, eight_bit=True)


class SevenBitTests(SynchronousTestCase):
    def test_what_is_ascii_stays_octet_for_octet(self):
        for octets in (
            mail(TEXT, b"hello\r\n"),
            mail([b"Subject: x"], b""),
            mail([*TEXT, EIGHT], b"says 8bit and is not\r\n"),
            b"",
            b"\r\n",
        ):
            self.assertEqual(converted(octets), octets)

    def test_text_becomes_quoted_printable_and_reads_the_same(self):
        octets = mail([*TEXT, EIGHT], WORDS * 30)
        out = converted(octets)
        self.assertTrue(out.isascii())
        told = message_from_bytes(out, policy=SMTP)
        self.assertEqual(told["Content-Transfer-Encoding"], "quoted-printable")
        self.assertEqual(told.get_payload(decode=True), WORDS * 30)
        self.assertNotIn(b"\n", out.replace(b"\r\n", b""))
        self.assertLessEqual(max(map(len, out.split(b"\r\n"))), 76)

    def test_text_that_is_mostly_not_ascii_becomes_base64(self):
        body = ("\u6f22\u5b57" * 30 + "\r\n").encode() * 2000
        out = converted(mail([*TEXT, EIGHT], body))
        told = message_from_bytes(out, policy=SMTP)
        self.assertEqual(told["Content-Transfer-Encoding"], "base64")
        self.assertEqual(told.get_payload(decode=True), body)
        self.assertLessEqual(max(map(len, out.split(b"\r\n"))), 76)

    def test_other_types_become_base64(self):
        picture = bytes(range(256)) * 500
        part = mail(
            [b"Content-Type: image/x", b"content-transfer-encoding: binary"], picture
        )
        out = converted(multipart(b"mixed", part, encoding=b"binary"))
        told = message_from_bytes(out, policy=SMTP)
        self.assertEqual(told["Content-Transfer-Encoding"], "7bit")
        self.assertEqual(told.get_payload(0).get_payload(decode=True), picture)

    def test_each_part_by_itself_and_headers_untouched(self):
        plain = mail([b"Content-Type: text/plain", b"X-Odd:   as it  is "], b"ascii")
        eight = mail([b"Content-Type: text/html; charset=utf-8", EIGHT], WORDS)
        inner = multipart(b"alternative", eight)
        inner = inner.replace(b"=b", b"=c").replace(b"--b", b"--c")
        octets = multipart(b"mixed", plain, inner)
        out = converted(octets)
        self.assertTrue(out.isascii())
        self.assertIn(plain, out)
        told = message_from_bytes(out, policy=SMTP)
        html = told.get_payload(1).get_payload(0)
        self.assertEqual(html.get_payload(decode=True), WORDS)

    def test_a_message_inside_is_never_encoded_but_its_parts_are(self):
        inner = mail([b"Subject: in", *TEXT, EIGHT], WORDS)
        part = mail([b"Content-Type: message/rfc822", EIGHT], inner)
        out = converted(multipart(b"mixed", part))
        self.assertTrue(out.isascii())
        told = message_from_bytes(out, policy=SMTP).get_payload(0)
        self.assertEqual(told["Content-Transfer-Encoding"], "7bit")
        inside = told.get_payload(0)
        self.assertEqual(inside["Content-Transfer-Encoding"], "quoted-printable")
        self.assertEqual(inside.get_payload(decode=True), WORDS)

    def test_old_mail_without_mime_learns_it(self):
        out = converted(mail([b"From: a@b.test"], WORDS))
        told = message_from_bytes(out, policy=SMTP)
        self.assertEqual(told["MIME-Version"], "1.0")
        self.assertEqual(told.get_content_charset(), "unknown-8bit")
        self.assertEqual(told.get_payload(decode=True), WORDS)

    def test_preamble_and_epilogue_lose_what_nobody_reads(self):
        part = mail([b"Content-Type: text/plain"], b"x")
        octets = multipart(b"mixed", part).replace(
            b"--b\r\n", b"pr\xc3\xa9\r\n--b\r\n", 1
        )
        out = converted(octets + b"\xc3nd\r\n")
        self.assertIn(b"pr??\r\n--b\r\n", out)
        self.assertTrue(out.endswith(b"--b--\r\n?nd\r\n"))

    def test_what_must_not_be_touched_is_a_fault(self):
        eight = mail([*TEXT, EIGHT], WORDS)
        signature = mail([b"Content-Type: application/pgp-signature"], b"xx")
        for octets, why in (
            (multipart(b"signed", eight, signature), "signed"),
            (
                multipart(
                    b"mixed",
                    mail(
                        [b"Content-Type: message/rfc822", EIGHT],
                        multipart(b"signed", eight, signature).replace(b"b", b"s"),
                    ),
                ),
                "signed, in a message inside",
            ),
            (mail([b"Content-Type: message/partial", EIGHT], WORDS), "a piece"),
            (
                mail([*TEXT, b"Content-Transfer-Encoding: base64"], WORDS),
                "encoded, and not in ASCII for all that",
            ),
        ):
            fault = self.assertRaises(CannotConvert, found, octets)
            self.assertEqual(fault.status, "5.6.3", why)

    def test_a_signed_message_in_ascii_stays(self):
        part = mail([b"Content-Type: text/plain"], b"x")
        octets = multipart(b"signed", part, part)
        self.assertEqual(converted(octets), octets)

    def settle(self, octets):
        """The message converted has nothing left to convert."""
        octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        try:
            out = converted(octets)
        except CannotConvert:
            return
        self.assertEqual(converted(out), out)

    def test_odd_messages_come_out_as_ascii_or_as_a_fault(self):
        for octets, *_ in MESSAGES:
            self.settle(octets)

    @given(HOSTILE)
    @settings(max_examples=100)
    def test_hostile_messages_too(self, octets):
        self.settle(octets)

    @given(st.binary(max_size=300))
    @settings(max_examples=200)
    def test_any_body_reads_the_same_afterwards(self, body):
        out = converted(mail([b"MIME-Version: 1.0", b"Content-Type: image/x"], body))
        self.assertTrue(out.isascii())
        told = message_from_bytes(out, policy=SMTP)
        if not body.isascii():
            self.assertEqual(told.get_payload(decode=True), body)


class NoBinaryTests(SynchronousTestCase):
    BINARY = b"Content-Transfer-Encoding: binary"

    def test_what_is_no_lines_becomes_base64(self):
        for body in (b"a\0b\r\n", b"a\nb\r\n", b"a\rb\r\n"):
            out = converted(mail([*TEXT, self.BINARY], body), eight_bit=True)
            told = message_from_bytes(out, policy=SMTP)
            self.assertEqual(told["Content-Transfer-Encoding"], "base64")
            self.assertEqual(told.get_payload(decode=True), body)

    def test_lines_only_change_their_name(self):
        for body, name in ((WORDS, b"8bit"), (b"ascii\r\n", b"7bit")):
            octets = mail([*TEXT, self.BINARY], body)
            self.assertEqual(
                converted(octets, eight_bit=True), octets.replace(b"binary", name)
            )

    def test_a_line_that_is_too_long_becomes_quoted_printable(self):
        out = converted(mail([*TEXT, self.BINARY], b"x" * 2000), eight_bit=True)
        self.assertLessEqual(max(map(len, out.split(b"\r\n"))), 76)

    def test_the_longest_line_that_may_stay(self):
        for size, stays in ((997, True), (998, True), (999, False)):
            for before in (b"", b"x\r\n", b"y" * 990 + b"\r\n"):
                body = before + b"\xc3" * size + b"\r\n" + b"z\r\n" * 600
                octets = mail([*TEXT, self.BINARY], body)
                kept = body in converted(octets, eight_bit=True)
                self.assertIs(kept, stays, (size, before))

    def test_a_line_end_between_two_slices_is_one(self):
        for size in (SLICE - 2, SLICE - 1, SLICE):
            body = (b"\xc3" * 500 + b"\r\n") * (SLICE // 502)
            body += b"x" * (size - len(body)) + b"\r\nend\r\n"
            octets = mail([*TEXT, self.BINARY], body)
            self.assertIn(body, converted(octets, eight_bit=True), size)
            bare = mail([*TEXT, self.BINARY], body.replace(b"\r\nend", b"\rend"))
            self.assertIn(b"base64", converted(bare, eight_bit=True), size)

    def test_eight_bit_parts_are_left_alone(self):
        octets = mail([*TEXT, EIGHT], WORDS)
        self.assertEqual(converted(octets, eight_bit=True), octets)


class Utf8HeaderTests(SynchronousTestCase):
    def test_where_they_may_hide(self):
        inner = mail(["Subject: \u00fc".encode(), *TEXT], b"x")
        for octets, found in (
            (mail([*TEXT, EIGHT], WORDS), False),
            (inner, True),
            (
                multipart(b"mixed", mail([b"Content-Type: message/rfc822"], inner)),
                True,
            ),
            (
                multipart(
                    b"mixed", mail([b"Content-Type: message/global"], mail(TEXT, b""))
                ),
                True,
            ),
            (
                multipart(
                    b"mixed",
                    mail(['Content-Type: a/b; name="\u00fc"'.encode()], b"x"),
                ),
                True,
            ),
        ):
            self.assertIs(in_one_go(utf8_headers(octets)), found, octets)


class SliceTests(SynchronousTestCase):
    """Others get their turn while a large message is parsed."""

    def test_the_search_for_parts_is_left_now_and_then(self):
        large = b"\xff\r\r" + b"x" * 8 * SLICE_OCTETS  # its kind is seen at once
        octets = multipart(b"mixed", mail([b"Content-Type: image/x", EIGHT], large))
        self.assertGreaterEqual(sum(1 for _ in edits(octets, eight_bit=False)), 8)
        inner = multipart(b"mixed", mail([b"Content-Type: image/x"], b"x"))
        octets = multipart(b"mixed", mail([b"Content-Type: image/x"], large), inner)
        self.assertGreaterEqual(sum(1 for _ in utf8_headers(octets)), 8)

    def test_a_header_that_is_too_large_is_no_header_to_change(self):
        for octets, fault in ((MOST_HEADER - 200, False), (MOST_HEADER, True)):
            message = mail([b"Subject: " + b"x" * octets, *TEXT, EIGHT], WORDS)
            if fault:
                self.assertRaises(CannotConvert, converted, message)
            else:
                self.assertTrue(converted(message).isascii())
