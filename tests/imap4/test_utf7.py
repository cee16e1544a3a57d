"""Modified UTF-7 is one to one."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadMailboxName
from mailtwist.imap4 import utf7

TEXT = st.text(st.characters(exclude_categories=["Cs"]))

PAIRS = [
    ("INBOX", b"INBOX", "plain"),
    ("A & B", b"A &- B", "ampersand"),
    ("~/\u53f0\u5317/\u65e5", b"~/&U,BTFw-/&ZeU-", "as in RFC 3501 §5.1.3"),
    ("Entw\xfcrfe", b"Entw&APw-rfe", "one letter"),
    ("\xe4\xf6", b"&AOQA9g-", "two letters share a shift"),
    ("\U0001f4e7", b"&2D3c5w-", "surrogate pair"),
    ("\xe4-", b"&AOQ--", "a hyphen behind a shift"),
    ("", b"", "empty"),
]

REFUSED = [
    (b"a&b", "ampersand alone"),
    (b"&", "open shift"),
    (b"&AOQ", "shift not closed"),
    (b"&AGE-", "printable ASCII in a shift"),
    (b"&AOQ-&APY-", "two shifts where one does"),
    (b"&AOR-", "bits left over are not zero"),
    (b"&AO-", "half a code unit"),
    (b"&A-", "no octet"),
    (b"&2D0-", "high surrogate alone"),
    (b"&3Oc-", "low surrogate alone"),
    (b"&AOQ=-", "padding"),
    (b"&AO/k-", "slash instead of comma"),
    (b"\xc3\xa4", "raw UTF-8"),
    (b"\xe4", "raw Latin-1"),
    (b"a\x00b", "raw NUL"),
    (b"a\x7f", "raw DEL"),
]


class Utf7Tests(SynchronousTestCase):
    def test_known_names(self):
        for text, wire, why in PAIRS:
            self.assertEqual(utf7.encode(text), wire, why)
            self.assertEqual(utf7.decode(wire), text, why)

    def test_a_second_spelling_is_refused(self):
        for wire, why in REFUSED:
            with self.assertRaises(BadMailboxName, msg=why):
                utf7.decode(wire)

    def test_a_lone_surrogate_has_no_form(self):
        with self.assertRaises(BadMailboxName):
            utf7.encode("a\ud800")

    @settings(max_examples=200)
    @given(text=TEXT)
    def test_text_comes_back(self, text):
        wire = utf7.encode(text)
        self.assertTrue(all(32 <= octet < 127 for octet in wire))
        self.assertEqual(utf7.decode(wire), text)

    @settings(max_examples=300)
    @given(wire=st.binary(max_size=12) | st.text("&-AOQBDw,3", max_size=12))
    def test_any_octets_are_a_name_that_comes_back_or_refused(self, wire):
        wire = wire.encode() if isinstance(wire, str) else wire
        try:
            text = utf7.decode(wire)
        except BadMailboxName:
            return
        self.assertEqual(utf7.encode(text), wire)
