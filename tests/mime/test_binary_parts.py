"""Binary parts become base64 on the way in, and nothing else changes."""

from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import UnknownEncoding
from mailtwist.mime.binary_parts import BinaryParts
from mailtwist.mime.parse import MOST_HEADER, parse

OCTETS = bytes(range(256)) * 2


def kept(*pieces):
    parts = BinaryParts()
    return b"".join(map(parts.feed, pieces)) + parts.end()


def part(body, encoding=b"binary", kind=b"application/x-any"):
    return b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (
        kind,
        encoding,
        body,
    )


def mixed(*parts, boundary=b"b", encoding=b"binary", kind=b"multipart/mixed"):
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, one) for one in parts)
    body = b"preamble\r\n" + body + b"--%b--\r\n" % boundary
    return part(body, encoding, kind + b'; boundary="' + boundary + b'"')


def leaves(octets):
    """(encoding, body as it was meant) of each part without parts."""
    found, waiting = [], [parse(octets)]
    while waiting:
        one = waiting.pop(0)
        waiting[:0] = one.children
        if not one.children:
            start, count = one.body
            body = octets[start : start + count]
            found.append(
                (one.encoding, b64decode(body) if one.encoding == "base64" else body)
            )
    return found


class BinaryPartsTests(SynchronousTestCase):
    def test_what_is_no_binary_part_stays_as_it_is(self):
        for octets in (
            b"",
            b"\r\n",
            b"Subject: x",
            b"Subject: x\r\n\r\nbody\nof\r\nlines",
            mixed(part(b"a", b"8bit"), part(b"YQ==", b"base64"), encoding=b"7bit"),
            mixed(part(b"--bb\r\n--b x\r\n", b"7bit"), encoding=b"8bit"),
            part(b"x", b"x-uuencode"),
            b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx",
        ):
            self.assertEqual(kept(octets), octets)

    def test_a_binary_message_of_one_part(self):
        found = kept(part(OCTETS))
        self.assertEqual(leaves(found), [("base64", OCTETS)])
        self.assertNotIn(b"\0", found)
        self.assertTrue(found.endswith(b"\r\n"))
        self.assertLessEqual(max(map(len, found.split(b"\r\n"))), 76)

    def test_binary_parts_among_others(self):
        inner = mixed(part(OCTETS), part(b"\0" * 57), boundary=b"bb")
        found = kept(
            mixed(
                part(b"text\r\n", b"7bit", b"text/plain"),
                part(OCTETS + b"\r\n"),
                inner,
                b"Content-Type: message/rfc822\r\n\r\nSubject: y\r\n" + part(b"\0"),
                part(b""),
            )
        )
        self.assertEqual(
            leaves(found),
            [
                ("7bit", b"text\r\n"),
                ("base64", OCTETS + b"\r\n"),
                ("base64", OCTETS),
                ("base64", b"\0" * 57),
                ("base64", b"\0"),
                ("base64", b""),
            ],
        )
        self.assertEqual(parse(found).encoding, "8bit")
        self.assertNotIn(b"\0", found)

    def test_a_digest_holds_messages(self):
        found = kept(
            mixed(b"\r\n" + part(b"\0x"), kind=b"multipart/digest", encoding=b"7bit")
        )
        self.assertEqual(leaves(found), [("base64", b"\0x")])

    def test_a_boundary_line_right_behind_another(self):
        found = kept(mixed(mixed(part(b"\0"), boundary=b"c"), part(b"\1"), part(b"")))
        self.assertEqual(
            leaves(found), [("base64", b"\0"), ("base64", b"\1"), ("base64", b"")]
        )

    def test_a_part_without_an_end_of_its_header(self):
        octets = (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\n--b\r\nSubject: x\r\n--b\r\n" + part(b"\0") + b"\r\n--b--\r\n"
        )
        self.assertEqual(leaves(kept(octets))[-1], ("base64", b"\0"))

    def test_nul_elsewhere_is_refused(self):
        for octets, why in [
            (b"Subject: x\r\n\r\n\0", "in a text"),
            (b"Subject: \0\r\n\r\nx", "in a header"),
            (mixed(part(b"\0", b"8bit")), "in a part that is not binary"),
            (mixed(part(b"x")) + b"\0", "behind the parts"),
            (b"X: " + b"x" * MOST_HEADER + b"\r\n" + part(b"\0"), "far down"),
        ]:
            self.assertRaises(UnknownEncoding, kept, octets)
            self.assertTrue(why)

    @given(
        body=st.binary(max_size=300),
        other=st.binary(max_size=100).map(lambda octets: octets.replace(b"\0", b"")),
        cuts=st.lists(st.integers(0, 900), max_size=8).map(sorted),
    )
    def test_any_octets_in_any_pieces_come_back(self, body, other, cuts):
        body = body.replace(b"--", b"__")
        other = other.replace(b"--", b"__").replace(b"\r", b"")
        octets = mixed(
            part(body), part(other, b"8bit"), mixed(part(body), boundary=b"c")
        )
        ends = [*cuts, len(octets)]
        pieces = [octets[a:b] for a, b in zip([0, *cuts], ends, strict=True)]
        found = kept(*pieces)
        self.assertEqual(found, kept(octets))
        self.assertEqual(found, kept(*[octets[i : i + 1] for i in range(len(octets))]))
        self.assertEqual(
            leaves(found), [("base64", body), ("8bit", other), ("base64", body)]
        )

    @given(
        pieces=st.lists(
            st.sampled_from(
                [b"--b", b"--b--", b"\r\n", b"\n", b"\r", b"--c", b" ", b"\0", b"x"]
                + [part(b""), mixed(boundary=b"c"), b"Content-Type: message/rfc822\r\n"]
                + [b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"]
            ),
            max_size=12,
        )
    )
    def test_any_split_gives_the_same(self, pieces):
        def outcome(*pieces):
            try:
                return kept(*pieces)
            except UnknownEncoding:
                return None

        octets = b"".join(pieces)
        whole = outcome(octets)
        self.assertEqual(outcome(*pieces), whole)
        self.assertEqual(
            outcome(*[octets[i : i + 1] for i in range(len(octets))]), whole
        )

    def test_a_large_part_is_not_held(self):
        parts = BinaryParts()
        parts.feed(part(b"")[:-2])
        parts.feed(b"\r\n")
        for _ in range(20):
            self.assertGreater(len(parts.feed(bytes(65536))), 65536)
        self.assertLess(len(parts._buffer) + len(parts._rest), 1000)
