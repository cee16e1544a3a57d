"""Tests for mailtwist.mime.parse."""

import email
import email.policy
import mmap
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.parse import MOST_DEPTH, MOST_PARTS, parse

from .odd_messages import HOSTILE, MESSAGES, crlf

WORD = st.text("abcXYZ -.=", max_size=12)
LEAF = st.tuples(
    st.sampled_from(["text/plain", "text/html", "image/gif", "application/x"]),
    st.lists(WORD, max_size=3).map("\r\n".join),
)
TREE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: ("multipart", parts)),
        inner.map(lambda part: ("message/rfc822", part)),
    ),
    max_leaves=8,
)


def shape(part, octets):
    """What `odd_messages` writes by hand."""

    def cut(extent):
        start, count = extent
        return octets[start : start + count]

    kind = f"{part.media_type}/{part.subtype}"
    children = [shape(child, octets) for child in part.children]
    return kind, cut(part.header), cut(part.body), children


def with_crlf(wanted):
    kind, header, body, children = wanted
    return kind, crlf(header), crlf(body), [with_crlf(child) for child in children]


def well_formed(tree, depth=0):
    """A message of this tree, as a strict program writes it."""
    kind, inside = tree
    if kind == "multipart":
        line = f"--=_boundary_{depth}"
        body = "".join(
            f"{line}\r\n{well_formed(part, depth + 1)}\r\n" for part in inside
        )
        kind = f'multipart/mixed; boundary="{line[2:]}"'
        body = f"preamble\r\n{body}{line}--\r\n"
    elif kind == "message/rfc822":
        body = well_formed(inside, depth + 1)
    else:
        body = inside
    return f"X-Depth: {depth}\r\nContent-Type: {kind}\r\n\r\n{body}"


def as_python_reads(message):
    payload = message.get_payload()
    children = [as_python_reads(p) for p in payload] if message.is_multipart() else []
    return message.get_content_type(), message["X-Depth"], children


def as_we_read(part, octets):
    start, count = part.header
    header = octets[start : start + count].decode()
    depth = header.partition("X-Depth: ")[2].partition("\r\n")[0]
    children = [as_we_read(child, octets) for child in part.children]
    return f"{part.media_type}/{part.subtype}", depth, children


class ParseTests(SynchronousTestCase):
    def check_ranges(self, part, low, high):
        """Children lie in order in the bodies of their parents."""
        self.assertTrue(low <= part.header[0] <= part.body[0] <= high)
        self.assertEqual(sum(part.header), part.body[0])
        self.assertTrue(part.body[1] >= 0 and sum(part.body) <= high)
        at = part.body[0]
        for child in part.children:
            self.check_ranges(child, at, sum(part.body))
            at = sum(child.body)

    def test_odd_messages(self):
        for message, wanted, reason in MESSAGES:
            octets = crlf(message)
            self.assertEqual(shape(parse(octets), octets), with_crlf(wanted), reason)

    def test_bare_lf_is_read_as_well(self):
        for message, wanted, reason in MESSAGES:
            self.assertEqual(shape(parse(message), message), wanted, reason)

    @given(octets=HOSTILE)
    @settings(max_examples=300)
    def test_any_octets_give_ranges_inside_the_message(self, octets):
        self.check_ranges(parse(octets), 0, len(octets))

    @given(octets=HOSTILE)
    def test_a_multipart_always_has_a_part(self, octets):
        waiting = [parse(octets)]
        while waiting:
            part = waiting.pop()
            waiting += part.children
            self.assertEqual(
                bool(part.children),
                part.multipart
                or (part.media_type == "message" and part.subtype == "rfc822"),
            )

    @given(tree=TREE)
    def test_python_reads_the_same_tree(self, tree):
        octets = well_formed(tree).encode()
        theirs = email.message_from_bytes(octets, policy=email.policy.compat32)
        self.assertEqual(as_we_read(parse(octets), octets), as_python_reads(theirs))

    @given(octets=HOSTILE.filter(len))
    @settings(max_examples=30)
    def test_a_mapped_file_reads_the_same(self, octets):
        with tempfile.TemporaryFile() as file:
            file.write(octets)
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                self.assertEqual(parse(mapped), parse(octets))

    def test_what_the_header_says_is_kept(self):
        part = parse(
            b"Content-Type: text/plain; charset=X\r\n"
            b"content-transfer-encoding: (really) BASE64\r\n"
            b"Content-ID: <1@x>\r\nContent-Description: a\r\n b\r\nContent-MD5: c==\r\n"
            b"Content-Disposition: attachment; filename=x\r\n"
            b"Content-Language: en (English), de\r\nContent-Location: http://x/\r\n\r\n"
        )
        self.assertEqual(part.parameters, ((b"charset", b"X"),))
        self.assertEqual(part.encoding, "base64")
        self.assertEqual(part.content_id, b"<1@x>")
        self.assertEqual(part.description, b"a b")
        self.assertEqual(part.md5, b"c==")
        self.assertEqual(part.disposition, (b"attachment", ((b"filename", b"x"),)))
        self.assertEqual(part.language, (b"en", b"de"))
        self.assertEqual(part.location, b"http://x/")

    def test_parts_are_limited_and_no_octet_is_lost(self):
        octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (
            b"--b\r\n\r\nx\r\n" * (MOST_PARTS + 500)
        )
        part = parse(octets)
        self.assertEqual(len(part.children), MOST_PARTS - 1)
        self.assertEqual(sum(part.children[-1].body), len(octets))

    def test_depth_is_limited(self):
        nested = b"\r\nx"
        for number in range(MOST_DEPTH + 50):
            line = b"b%d" % number
            nested = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n%b" % (
                line,
                line,
                nested,
            )
        for octets in (nested, b"Content-Type: message/rfc822\r\n\r\n" * 300):
            part, depth = parse(octets), 0
            while part.children:
                part, depth = part.children[0], depth + 1
            self.assertTrue(MOST_DEPTH <= depth <= MOST_DEPTH + 1)
            self.assertEqual(sum(part.body), len(octets))

    def test_the_same_boundary_many_times_ends(self):
        octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 400
        self.check_ranges(parse(octets), 0, len(octets))
