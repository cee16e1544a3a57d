"""Addresses: one value for each mailbox, whatever its spelling."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address, ascii_domain, normal_domain
from mailtwist.errors import BadAddress

READS = [
    # text, local part, domain, wire, why
    ("ann@example.test", "ann", "example.test", b"ann@example.test", "plain"),
    ("Ann@EXAMPLE.Test", "Ann", "example.test", b"Ann@example.test", "domain case"),
    ("ann@example.test.", "ann", "example.test", b"ann@example.test", "root dot"),
    ('"a b"@c.d', "a b", "c.d", b'"a b"@c.d', "quoted because it must be"),
    ('"ann"@c.d', "ann", "c.d", b"ann@c.d", "quoted without need"),
    (r'"a\"\\b"@c.d', 'a"\\b', "c.d", rb'"a\"\\b"@c.d', "quoted pairs"),
    ('""@c.d', "", "c.d", b'""@c.d', "an empty local part has a form"),
    ("postmaster", "postmaster", "", b"postmaster", "no domain"),
    ("a@b\xfccher.de", "a", "b\xfccher.de", b"a@xn--bcher-kva.de", "U-label"),
    ("a@XN--bcher-KVA.de", "a", "b\xfccher.de", b"a@xn--bcher-kva.de", "A-label"),
    ("a@\uff42\u3002\uff43", "a", "b.c", b"a@b.c", "wide letters and full stop"),
    ("a@[127.0.0.1]", "a", "[127.0.0.1]", b"a@[127.0.0.1]", "IPv4 literal"),
    ("a@[ipv6:0::1]", "a", "[IPv6:::1]", b"a@[IPv6:::1]", "IPv6 literal"),
    ("a@my_host.test", "a", "my_host.test", b"a@my_host.test", "underscore is seen"),
    ("j\xf6rg@c.d", "j\xf6rg", "c.d", "j\xf6rg@c.d".encode(), "SMTPUTF8"),
]

REFUSED = [
    ("", "empty"),
    ("a@", "no domain behind @"),
    ("@b", "no local part"),
    ("a b@c", "space"),
    (".a@c", "leading dot"),
    ("a.@c", "trailing dot"),
    ("a..b@c", "two dots"),
    ('"a@c', "open quote"),
    ('"a"b@c', "text behind the quote"),
    ("a@b@c", "two at signs"),
    ("a@-b.c", "label starts with a hyphen"),
    ("a@b..c", "empty label"),
    ("a@xn--\x00", "NUL"),
    ("a@b\r\nc", "line end"),
    ("a\r\n@b", "line end"),
    ("a@" + "b" * 64 + ".c", "label over 63"),
    ("a@" + ".".join(["b" * 60] * 5), "domain over 255"),
    ("a" * 65 + "@c", "local part over 64"),
    ("a@[1.2.3.4", "open bracket"),
    ("a@[1.2.3.456]", "not an address"),
    ("a@[IPv6:1.2.3.4]", "not an IPv6 address"),
    ("a@[IPv6:fe80::1%\r\nX]", "a zone can hold anything"),
    ("\ud800@c.d", "lone surrogate"),
    ("a@\ud800", "lone surrogate"),
    ('"a\x01"@c.d', "control in quotes"),
]

LOCAL = st.text(
    st.characters(
        min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]
    ),
    max_size=16,
)


class AddressTests(SynchronousTestCase):
    def test_spellings_of_an_address_are_one_value(self):
        for text, local_part, domain, wire, why in READS:
            address = Address.parse(text)
            self.assertEqual(address, Address(local_part, domain), why)
            self.assertEqual(address.encode(), wire, why)

    def test_what_is_no_address_is_refused(self):
        for text, why in REFUSED:
            with self.assertRaises(BadAddress, msg=why):
                Address.parse(text)

    def test_utf8_form_keeps_the_labels(self):
        address = Address.parse("a@xn--bcher-kva.de")
        self.assertEqual(address.encode(utf8=True), "a@b\xfccher.de".encode())
        self.assertEqual(str(address), "a@b\xfccher.de")

    def test_only_the_local_part_needs_smtputf8(self):
        self.assertTrue(Address.parse("a@b\xfccher.de").ascii)
        self.assertFalse(Address.parse("\xe4@c.d").ascii)

    @settings(max_examples=100)
    @given(local_part=LOCAL)
    def test_any_local_part_survives_its_text(self, local_part):
        address = Address(local_part, "example.test")
        if len(local_part.encode()) <= 64:
            self.assertEqual(Address.parse(str(address)), address)

    @settings(max_examples=200)
    @given(text=st.text(max_size=40))
    def test_any_text_is_an_address_or_refused(self, text):
        for one in (text, f"a@{text}", f"a@[{text}]"):
            try:
                address = Address.parse(one)
            except BadAddress:
                continue
            wire = address.encode()
            self.assertNotIn(b"\r", wire)
            self.assertNotIn(b"\n", wire)
            self.assertEqual(Address.parse(wire.decode()), address)

    def test_normal_form_is_stable(self):
        for text in ("B\xdcCHER.de", "xn--bcher-kva.de", "b\xfccher.de"):
            self.assertEqual(normal_domain(text), "b\xfccher.de")
        self.assertEqual(ascii_domain("b\xfccher.de"), "xn--bcher-kva.de")
