"""Tests for BODY and TEXT of mailtwist.mailbox.search: what is text, how it is read."""

import base64
import quopri

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.search_body import Stretch, StretchSearch, spans
from mailtwist.mailbox.search_needle import Needle
from mailtwist.search_key import Body, Text

from .search_mailbox import Searched

MIB = 1 << 20


def part(body, content_type="text/plain; charset=utf-8", encoding="8bit", more=""):
    return (
        f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n"
        f"{more}\r\n".encode()
        + body
    )


def multipart(*parts):
    inside = b"".join(b"\r\n--b\r\n" + one for one in parts)
    header = b"Subject: outside\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return header + b"preamble" + inside + b"\r\n--b--\r\nepilogue\r\n"


def base64_of(text, charset="utf-8"):
    return base64.encodebytes(text.encode(charset)).replace(b"\n", b"\r\n")


def quoted(text, charset="utf-8"):
    return quopri.encodestring(text.encode(charset)).replace(b"\n", b"\r\n")


INNER = b"Subject: =?utf-8?q?inn=65r?=\r\n\r\nforwarded needle\r\n"
JAPANESE = "text/plain; charset=iso-2022-jp"
LATIN = "text/plain; charset=iso-8859-1"
CASES = [
    (b"Subject: x\r\n\r\nA Needle.\r\n", "needle", True, "plain text"),
    (b"Subject: needle\r\n\r\nx\r\n", "needle", False, "BODY leaves the header out"),
    (b"\r\nneedle", "needle", True, "no header"),
    (b"Subject: x\r\n", "needle", False, "no body"),
    (part(b"caf\xc3\xa9"), "CAF\xc9", True, "UTF-8"),
    (part(b"caf\xe9", LATIN), "caf\xe9", True, "Latin-1"),
    (part(b"caf\xe9", "text/plain; charset=nope"), "caf\xe9", True, "unknown charset"),
    (part(b"needle \xe9", "text/plain"), "needle", True, "8-bit without a charset"),
    (part(base64_of("a needle"), encoding="base64"), "needle", True, "base64"),
    (part(base64_of("a needle"), encoding="BASE64"), "needle", True, "in upper case"),
    (part(b"bmVlZGxl", encoding="8bit"), "needle", False, "not encoded"),
    (
        part(base64_of("x") + b"!!" + base64_of("needle"), encoding="base64"),
        "needle",
        True,
        "base64 with padding and dirt in the middle",
    ),
    (
        part(quoted("un caf\xe9 needle"), encoding="quoted-printable"),
        "caf\xe9 n",
        True,
        "quoted-printable",
    ),
    (
        part(b"nee=\r\ndle", encoding="quoted-printable"),
        "needle",
        True,
        "a soft line end",
    ),
    (
        part(base64_of("\u65e5\u672c\u8a9e", "iso-2022-jp"), JAPANESE, "base64"),
        "\u672c\u8a9e",
        True,
        "ISO-2022-JP",
    ),
    (
        part("\u65e5\u672c".encode("iso-2022-jp"), JAPANESE, "7bit"),
        "$B",
        False,
        "octets of a shift are no text",
    ),
    (part("\uff4eeedle".encode()), "needle", True, "a full-width letter"),
    (part(b"<p>needle</p>", "text/html"), "needle", True, "HTML"),
    (part(b"needle", "image/gif"), "needle", False, "no text (RFC 3501 §6.4.4)"),
    (part(b"needle", "message/delivery-status"), "needle", True, "message types are"),
    (multipart(part(b"x"), part(b"needle")), "needle", True, "the second part"),
    (multipart(part(b"x")), "preamble", False, "what no reader shows"),
    (multipart(part(b"x")), "outside", False, "the message's header"),
    (
        multipart(part(b"x", "image/gif; name=needle.gif")),
        "needle",
        True,
        "the name of an attachment",
    ),
    (
        multipart(
            part(
                b"x",
                more="Content-Disposition: attachment;\r\n"
                " filename*0*=utf-8''n%65; filename*1=edle\r\n",
            )
        ),
        "needle",
        True,
        "and in the long form (RFC 2231)",
    ),
    (
        b"Content-Type: message/rfc822\r\n\r\n" + INNER,
        "forwarded",
        True,
        "in a message",
    ),
    (
        multipart(part(b"x", 'image/gif; name="=?utf-8?q?n=65edle?=.gif"')),
        "needle",
        True,
        "and in an encoded word",
    ),
    (part(b"x", "application/pdf; name=needle.pdf"), "needle", True, "of one part"),
    (multipart(part(b"x")), "text/plain", False, "what headers of parts say"),
    (b"Content-Type: message/rfc822\r\n\r\n" + INNER, "inner", True, "and its header"),
    (multipart(part(INNER, "message/rfc822", "7bit")), "needle", True, "in a part"),
    (b"Content-Type: multipart/mixed\r\n\r\nneedle", "needle", True, "no boundary"),
]


class BodyTests(SynchronousTestCase):
    def test_what_is_text(self):
        mail = Searched(self, [(octets, [], 0) for octets, _, _, _ in CASES])
        for uid, (_, needle, want, reason) in enumerate(CASES, 1):
            found = mail.found(Body(needle), view=[uid])
            self.assertEqual(found, [uid] if want else [], reason)
            found = mail.found(Text(needle), view=[uid])
            if want:
                self.assertEqual(found, [uid], f"TEXT has all of BODY: {reason}")

    def test_text_has_the_header_too(self):
        octets = b"Subject: =?utf-8?q?n=65edle?=\r\nX-Y: a\r\n b\r\n\r\nbody\r\n"
        mail = Searched(self, [(octets, [], 0)])
        for needle, want in [
            ("needle", True),
            ("x-y", True),
            ("a b", True),
            ("BODY", True),
            ("=?utf", False),
            ("other", False),
            ("", True),
        ]:
            self.assertEqual(mail.found(Text(needle)), [1] if want else [], needle)
        self.assertEqual(mail.found(Body("")), [1])

    def test_text_has_the_headers_of_parts(self):
        octets = multipart(part(b"x", more="X-Y: =?utf-8?b?bmVlZGxl?=\r\n"))
        mail = Searched(self, [(octets, [], 0)])
        self.assertEqual(mail.found(Text("needle")), [1])
        self.assertEqual(mail.found(Body("needle")), [])

    def test_small_messages_are_read_together(self):
        octets = b"Subject: x\r\n\r\n" + b"needle not here\r\n" * 10
        mail = Searched(self, [(octets, [], 0)] * 200)
        self.assertEqual(mail.found(Body("nothing")), [])
        self.assertEqual(len(mail.mailbox.octets_asked), 1)


class MemoryTests(SynchronousTestCase):
    """A message of any size is searched in bounded memory."""

    def searched(self, octets, key, want):
        mail = Searched(self, [(octets, [], 0)])
        self.assertEqual(mail.found(key), [1] if want else [])
        self.assertLessEqual(max(mail.mailbox.octets_asked), 300_000)
        return mail

    def test_a_large_body_is_read_in_pieces(self):
        filler = b"0123456789abcde\r\n" * (3 * MIB // 17)
        octets = part(filler + b"the needle\r\n" + filler)
        self.searched(octets, Body("the needle"), True)
        mail = self.searched(octets, Body("no needle"), False)
        self.assertGreater(mail.pauses, 1)

    def test_a_large_encoded_body_is_read_in_pieces(self):
        text = "0123456789abcd\xe9\n" * 60_000
        octets = part(base64_of(text + "n\xe9edle" + text), encoding="base64")
        self.searched(octets, Body("n\xe9edle"), True)

    def test_attachments_are_not_read(self):
        attachment = part(b"x" * MIB, "application/zip")
        mail = self.searched(multipart(part(b"a"), attachment), Body("needle"), False)
        self.assertLess(sum(mail.mailbox.octets_asked), 5000)

    def test_a_needle_is_found_over_the_cut(self):
        for before in range(262_144 - 12, 262_144 + 2):
            octets = b"\r\n" + b"x" * before + b"the needle" + b"y" * 300_000
            self.searched(octets, Body("the needle"), True)

    def test_a_huge_header_is_read_to_its_limit(self):
        octets = b"X-Y: " + b"a" * (2 * MIB) + b"\r\n\r\nneedle" + b"x" * MIB
        mail = Searched(self, [(octets, [], 0)])
        self.assertEqual(mail.found(Text("needle")), [1])
        self.assertLessEqual(max(mail.mailbox.octets_asked), MIB)


class PauseTests(SynchronousTestCase):
    def test_others_get_their_turn(self):
        text = part("\xe9tude en bleu\r\n".encode() * 4000)
        mail = Searched(self, [(text, [], 0)] * 10)
        mail.found(Body("rouge"))
        self.assertGreater(mail.pauses, 5)

    def test_a_small_search_does_not_wait(self):
        mail = Searched(self, [(part(b"x"), [], 0)])
        mail.found(Text("needle"))
        self.assertEqual(mail.pauses, 0)


class StretchTests(SynchronousTestCase):
    @given(
        text=st.text("abc\xe9\xdf\ufb01e\u0301 \r\n", max_size=60),
        start=st.integers(0, 60),
        length=st.integers(1, 12),
        cuts=st.lists(st.integers(0, 200), max_size=6),
        encoding=st.sampled_from(["8bit", "base64"]),
    )
    @settings(max_examples=200)
    def test_a_part_of_the_text_is_found_however_it_is_cut(
        self, text, start, length, cuts, encoding
    ):
        needle = text[start : start + length]
        octets = text.encode()
        if encoding == "base64":
            octets = base64.encodebytes(octets)
        looking = StretchSearch(
            Needle(needle), Stretch(0, len(octets), False, encoding, b"utf-8")
        )
        edges = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
        found = [
            looking.feed(octets[low:high], final=number == len(edges) - 2)
            for number, (low, high) in enumerate(zip(edges, edges[1:], strict=False))
        ]
        self.assertIn(True, found)

    @given(
        counts=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 200)), max_size=9)
    )
    def test_spans_hold_every_stretch_and_are_small(self, counts):
        at, where = 0, []
        for gap, count in counts:
            where.append(Stretch(at + gap, count, False))
            at += gap + count
        gathered = spans(iter(where), 100)
        self.assertEqual([one for span in gathered for one in span.stretches], where)
        for span in gathered:
            self.assertTrue(span.count <= 100 or len(span.stretches) == 1)
            last = span.stretches[-1]
            self.assertEqual(span.start, span.stretches[0].start)
            self.assertEqual(span.start + span.count, last.start + last.count)
