import hashlib
import re
from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.trust.canonical import chosen, relaxed_field, simple_field

from .messages import PLAIN, hashed, split

OCTETS = st.lists(
    st.sampled_from([b"a", b"b c", b" ", b"\t", b"\r\n", b"\r\n\r\n", b"\r", b"\n"]),
    max_size=30,
).map(b"".join)
CUTS = st.lists(st.integers(0, 60), max_size=6)


def plain(octets, form):
    """The canonical form by the words of RFC 6376 §3.4.3 and §3.4.4."""
    if form == "relaxed":
        octets = re.sub(rb"[ \t]+", b" ", octets)
        octets = re.sub(rb" (?=\r\n|\Z)", b"", octets)
    while octets.endswith(b"\r\n"):
        octets = octets[:-2]
    return octets + b"\r\n" if octets or form == "simple" else b""


class BodyTests(SynchronousTestCase):
    @given(OCTETS, CUTS, st.sampled_from(["simple", "relaxed"]))
    def test_any_split_gives_the_hash_of_the_whole(self, octets, cuts, form):
        wanted = plain(octets, form)
        found = hashed(octets, form, cuts=cuts)
        self.assertEqual(found, (hashlib.sha256(wanted).digest(), len(wanted)))

    @given(OCTETS, CUTS, st.integers(0, 40), st.sampled_from(["simple", "relaxed"]))
    def test_a_length_hashes_the_first_octets(self, octets, cuts, length, form):
        wanted = plain(octets, form)
        digest = hashlib.sha256(wanted[:length]).digest()
        self.assertEqual(hashed(octets, form, length, cuts), (digest, len(wanted)))

    def test_the_body_of_the_rfcs_has_their_hash(self):
        _, body = split(PLAIN)
        told = b64encode(hashed(body, "relaxed")[0]).decode()
        self.assertEqual(told, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=")

    def test_the_example_of_rfc_6376_section_3_4_5(self):
        body = b" C \r\nD \t E\r\n\r\n\r\n"
        for form, wanted in (
            ("relaxed", b" C\r\nD E\r\n"),
            ("simple", b" C \r\nD \t E\r\n"),
        ):
            self.assertEqual(hashed(body, form)[0], hashlib.sha256(wanted).digest())

    def test_empty_lines_without_end_take_no_memory(self):
        octets = b"\r\n" * 200_000
        found = hashed(octets, "relaxed", cuts=range(0, 400_000, 50_000))
        self.assertEqual(found, (hashlib.sha256(b"").digest(), 0))


class FieldTests(SynchronousTestCase):
    def test_the_example_of_rfc_6376_section_3_4_5(self):
        fields, _ = split(b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n")
        relaxed = b"".join(relaxed_field(*each) for each in fields)
        self.assertEqual(relaxed, b"a:X\r\nb:Y Z\r\n")
        simple = b"".join(simple_field(*each) for each in fields)
        self.assertEqual(simple, b"A: X\r\nB : Y\t\r\n\tZ  \r\n")

    def test_fields_are_chosen_from_the_bottom(self):
        fields = [(b"A", b"A: 1\r\n"), (b"B", b"B: 2\r\n"), (b"a", b"a: 3\r\n")]
        found = [raw for _, raw in chosen(fields, [b"a", b"c", b"A", b"a"])]
        self.assertEqual(found, [b"a: 3\r\n", b"A: 1\r\n"])
