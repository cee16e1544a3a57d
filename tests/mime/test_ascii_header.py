"""Fields in UTF-8 as clients that know ASCII only get them."""

from base64 import b64encode
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.parser import BytesParser

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.ascii_header import ascii_fields, ascii_header
from mailtwist.mime.header import fields

from .odd_messages import HOSTILE


def word(text):
    """`text` as the one encoded word that stands for it."""
    return b"=?utf-8?B?%b?=" % b64encode(text.encode())


def shown(line):
    """The field, or several, in place of this one."""
    header = ascii_header(line.encode() + b"\r\n\r\n")
    return header.removesuffix(b"\r\n\r\n")


class FieldTests(SynchronousTestCase):
    def test_each_kind_of_field(self):
        cases = [
            ("Subject: für dich", b"Subject: " + word("für") + b" dich", "text"),
            ("Subject: Zwölf Bären", b"Subject: " + word("Zwölf Bären"), "one run"),
            ("Subject: ä and ö", b"Subject: %b and\r\n %b" % (word("ä"), word("ö")),
             "a line for each run but the first"),
            ('From: "Jörg, A." <j@x.de>', b"From: %b <j@x.de>" % word("Jörg, A."),
             "a display name"),
            ("From: Jörg <jörg@x.de>", b"From: %b:;" % word("Jörg <jörg@x.de>"),
             "a local part has no form: an empty group"),
            ("From: jörg@x.de", b"From: %b:;" % word("jörg@x.de"), "without a name"),
            ("To: Ann <a@b>, Jörg <j@büro.de>",
             b"To: Ann <a@b>,\r\n %b <j@xn--bro-hoa.de>" % word("Jörg"),
             "a domain has A-labels"),
            ("To: Büro: a@b, ö@c;, d@e",
             b"To: %b: a@b;,\r\n %b:;,\r\n d@e" % (word("Büro"), word("ö@c")),
             "a group"),
            ('Cc: "a\\"b c" <"x y"@z>, ü <u@v>',
             b'Cc: "a\\"b c" <"x y"@z>,\r\n %b <u@v>' % word("ü"), "quoted strings"),
            ("Return-Path: <ö@x>", b"Return-Path: %b:;" % word("ö@x"), "return path"),
            ("Message-ID: <ö@x>", b"Downgraded-Message-ID: " + word("<ö@x>"),
             "ids are not shown as such"),
            ("References: <a@b> <ö@x>",
             b"Downgraded-References: " + word("<a@b> <ö@x>"), "nor are lists of them"),
            ('Content-Type: text/plain; name="Bär.txt"; format=flowed',
             b"Content-Type: text/plain;\r\n name*=utf-8''B%C3%A4r.txt;\r\n"
             b" format=flowed", "a parameter"),
            ('Content-Disposition: attachment; filename="ä b"; x="c d"',
             b"Content-Disposition: attachment;\r\n filename*=utf-8''%C3%A4%20b;\r\n"
             b' x="c d"', "of the disposition"),
            ("Received: from a by b for <ö@x>; Thu, 1 Jan 2026 12:00:00 +0000",
             b"Received: from a by b; Thu, 1 Jan 2026 12:00:00 +0000", "FOR goes"),
            ("List-Id: Böse <l.x>", b"List-Id: " + word("Böse") + b" <l.x>", "others"),
            ("To: undisclosed (nö", b"To: undisclosed " + word("(nö"),
             "what is no address list is text"),
        ]  # fmt: skip
        for line, wanted, why in cases:
            self.assertEqual(shown(line), wanted, why)

    def test_what_stays(self):
        for octets, why in [
            (b"Subject: plain\r\n\r\n", "ASCII"),
            (b"Subject: f\xfcr\r\n\r\n", "Latin-1"),
            (b"Subject: a\r\n\r\nf\xc3\xbcr", "the body"),
            (b"no field: \r\nf\xc3\xbcr\r\n\r\n", "a line that is no field"),
        ]:
            self.assertEqual(ascii_header(octets), octets, why)

    def test_folds_stay_and_no_blank_line_comes_of_them(self):
        self.assertEqual(
            shown("Subject: eins\r\n ö zwei\r\n\tü"),
            b"Subject: eins\r\n " + word("ö") + b" zwei\r\n\t" + word("ü"),
        )


WORDS = st.text("abäö€😀 ", min_size=1, max_size=120)


class PropertyTests(SynchronousTestCase):
    @given(text=WORDS)
    def test_a_subject_reads_as_before(self, text):
        text = " ".join(text.split()) or "a"
        header = ascii_header(f"Subject: {text}\r\n\r\n".encode())
        self.assertTrue(header.isascii())
        read = BytesParser(policy=policy.default).parsebytes(header)
        self.assertEqual(read["subject"], text)

    @given(text=WORDS)
    def test_no_line_gets_long(self, text):
        header = ascii_header(f"X-Text: {text}\r\n\r\n".encode())
        words = max(map(len, text.split(" ")), default=0)
        for line in header.split(b"\r\n"):
            self.assertLess(len(line), 100 + words + len(text))

    @given(octets=HOSTILE)
    def test_every_field_in_utf8_becomes_ascii_and_the_others_stay(self, octets):
        header = octets[: octets.find(b"\r\n\r\n") + 4]
        at = 0
        for start, stop, text in ascii_fields(header):
            self.assertTrue(text.isascii())
            self.assertNotIn(b"\r\n\r\n", text)
            self.assertLessEqual(at, start)
            self.assertEqual(len(fields(text)), 1)
            at = stop


class AsciiHeaderTests(SynchronousTestCase):
    def test_ASCII_stays(self):
        message = b"Subject: x\r\n\r\n" + "Körper\r\n".encode()
        self.assertIs(ascii_header(message), message)

    def test_UTF8_words_become_encoded_words(self):
        text = "Grüße aus Köln und so weiter " + "ä" * 100
        message = f'Subject: {text}\r\nTo: "Jürgen" <j@x>\r\n\r\nKörper\r\n'.encode()
        found = ascii_header(message)
        header, _, body = found.partition(b"\r\n\r\n")
        self.assertTrue(header.isascii())
        self.assertTrue(all(len(row) < 150 for row in header.split(b"\r\n")))
        self.assertEqual(body, "Körper\r\n".encode())
        parsed = message_from_bytes(found)
        self.assertEqual(str(make_header(decode_header(parsed["subject"]))), text)
        self.assertIn("<j@x>", parsed["to"])

    def test_a_header_of_raw_octets_stays(self):
        message = b"Subject: Gr\xfc\xdfe\r\n\r\n"
        self.assertIs(ascii_header(message), message)

    def test_long_words_cost_no_quadratic_time(self):
        message = b"X: " + b"a" * 200_000 + b"\r\nY: \xc3\xa4\r\n\r\n"
        self.assertTrue(ascii_header(message).isascii())

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=120))
    def test_whatever_text_the_header_is_ASCII_then(self, text):
        text = text.replace("\r", "").replace("\n", "")
        found = ascii_header(f"Subject: {text}\r\n\r\n".encode())
        self.assertTrue(found.isascii())
        self.assertTrue(found.endswith(b"\r\n\r\n"))
