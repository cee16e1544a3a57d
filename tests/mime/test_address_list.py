"""Tests for mailtwist.mime.address_list: what RFC 5322 allows, and what mail has."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.address_list import (
    END_OF_GROUP,
    MISSING_DOMAIN,
    MISSING_MAILBOX,
    Listed,
    addresses,
)


def plain(mailbox, host, name=None, route=None):
    return Listed(name, route, mailbox, host)


def group(name, *members):
    return [Listed(None, None, name, None), *members, END_OF_GROUP]


AB, CD = plain(b"a", b"b"), plain(b"c", b"d")

VALID = [
    (b"a@b", [AB]),
    (b" a@b \r\n", [AB]),
    (b"<a@b>", [AB]),
    (b"a@b, c@d", [AB, CD]),
    (b"a@b,\r\n c@d", [AB, CD]),
    (b"A <a@b>", [plain(b"a", b"b", b"A")]),
    (b"A  B\t C <a@b>", [plain(b"a", b"b", b"A B C")]),
    (b"John Q. Public <a@b>", [plain(b"a", b"b", b"John Q. Public")]),
    (b'"A, B" <a@b>', [plain(b"a", b"b", b"A, B")]),
    (b'"A \\"q\\" \\\\" <a@b>', [plain(b"a", b"b", b'A "q" \\')]),
    (b'"A" "B" <a@b>, c@d', [plain(b"a", b"b", b"A B"), CD]),
    (b"A\r\n\t<a@b>", [plain(b"a", b"b", b"A")]),
    (b"a@b (Ann)", [plain(b"a", b"b", b"Ann")]),
    (b"(Ann) a@b", [plain(b"a", b"b", b"Ann")]),
    (b"<a@b> (Ann)", [plain(b"a", b"b", b"Ann")]),
    (b"A (c) <a@b>", [plain(b"a", b"b", b"A")]),
    (b"a@b (x (y) \\) z)", [plain(b"a", b"b", b"x (y) ) z")]),
    (b"a (c) @ (d) b (Ann)", [plain(b"a", b"b", b"Ann")]),
    (b"a . b @ c . d", [plain(b"a.b", b"c.d")]),
    (b'"a b"@c', [plain(b"a b", b"c")]),
    (b'"a@b"@c', [plain(b"a@b", b"c")]),
    (b'A <"a\\"b"@c>', [plain(b'a"b', b"c", b"A")]),
    (b"a@[1.2.3.4]", [plain(b"a", b"[1.2.3.4]")]),
    (b"A <a@[IPv6:::1]>", [plain(b"a", b"[IPv6:::1]", b"A")]),
    (b"<@r,@s:a@b>", [plain(b"a", b"b", None, b"@r,@s")]),
    (b"A <@r:a@b>", [plain(b"a", b"b", b"A", b"@r")]),
    (b"undisclosed-recipients:;", group(b"undisclosed-recipients")),
    (b"G: a@b, A <c@d>;", group(b"G", AB, plain(b"c", b"d", b"A"))),
    (b'"G H": a@b;, c@d', [*group(b"G H", AB), CD]),
    (b"G: a@b;, H:;", [*group(b"G", AB), *group(b"H")]),
    (b"=?utf-8?q?=C3=A9?= <a@b>", [plain(b"a", b"b", b"=?utf-8?q?=C3=A9?=")]),
    (b"\xc3\xa9 <\xc3\xa9@b>", [plain(b"\xc3\xa9", b"b", b"\xc3\xa9")]),
    (b"", []),
    (b" \r\n", []),
    (b"()", []),
]
BROKEN = [
    (b"foo", [plain(b"foo", MISSING_DOMAIN)], "no domain"),
    (b"<foo>", [plain(b"foo", MISSING_DOMAIN)], "no domain in brackets"),
    (b"foo bar", [plain(MISSING_MAILBOX, MISSING_DOMAIN, b"foo bar")], "only words"),
    (b"<>", [plain(MISSING_MAILBOX, MISSING_DOMAIN)], "empty brackets"),
    (b"A <>", [plain(MISSING_MAILBOX, MISSING_DOMAIN, b"A")], "the null path"),
    (b"@b", [plain(MISSING_MAILBOX, b"b")], "no local part"),
    (b"a@", [plain(b"a", MISSING_DOMAIN)], "no domain behind the @"),
    (b"a@b,,c@d", [AB, CD], "an empty element (RFC 5322 §4.4)"),
    (b",a@b,", [AB], "empty elements around"),
    (b"a@b;c@d", [AB, CD], "semicolons, as Outlook's users write"),
    (b"a@b c@d", [AB, CD], "a missing comma"),
    (b"A a@b", [plain(b"a", b"b", b"A")], "missing brackets"),
    (b"A a@b>", [plain(b"a", b"b", b"A")], "a missing bracket before"),
    (b"A <a@b", [plain(b"a", b"b", b"A")], "a missing bracket behind"),
    (b"A <a@b, c@d", [plain(b"a", b"b", b"A"), CD], "and another address then"),
    (b"<<a@b>>", [AB], "brackets twice"),
    (b"a@b <a@b>", [plain(b"a", b"b", b"a@b")], "an address as the name"),
    (b"A <a@b> B <c@d>", [plain(b"a", b"b", b"A")], "words behind the address"),
    (b"A [x] <a@b>", [plain(b"a", b"b", b"A [x]")], "brackets in the name"),
    (b"a@b@c", [plain(b"a@b", b"c")], "two @"),
    (b"G: a@b", group(b"G", AB), "a group never closed"),
    (b'"A <a@b>', [plain(b"A <a@b>", MISSING_DOMAIN)], "a quote never closed"),
    (b"a@b (Ann", [plain(b"a", b"b", b"Ann")], "a comment never closed"),
    (b"\\A <a@b>", [plain(b"a", b"b", b"\\A")], "a backslash outside of quotes"),
    (b"a@b: c@d", [AB, CD], "a colon behind an address starts no group"),
]  # fmt: skip

ANY = st.lists(
    st.sampled_from(
        [b"a", b"@", b"b.c", b"<", b">", b",", b";", b":", b'"', b"\\", b"(", b")"]
        + [b" ", b"\r\n ", b"[", b"]", b"\xff", b"\0", b"."]
    ),
    max_size=25,
).map(b"".join)


class AddressListTests(SynchronousTestCase):
    def test_valid(self):
        for value, want in VALID:
            self.assertEqual(addresses([value]), want, value)

    def test_broken(self):
        for value, want, reason in BROKEN:
            self.assertEqual(addresses([value]), want, reason)

    def test_repeated_fields_are_one_list(self):
        self.assertEqual(addresses([b"a@b", b"c@d"]), [AB, CD])

    @given(value=ANY)
    def test_any_octets_give_structures_of_rfc_3501(self, value):
        in_group = False
        for one in addresses([value]):
            if one == END_OF_GROUP:
                self.assertTrue(in_group)
                in_group = False
            elif one.host is None:  # the start of a group
                self.assertIsNotNone(one.mailbox)
                self.assertFalse(in_group)
                in_group = True
            else:
                self.assertTrue(one.mailbox and one.host)
        self.assertFalse(in_group)

    @given(
        names=st.lists(
            st.text('ABab ,;:<>@()"\\.', min_size=1, max_size=9), min_size=1, max_size=4
        )
    )
    def test_a_quoted_name_comes_back(self, names):
        def quoted(name):
            return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'

        value = ", ".join(f"{quoted(name)} <a@b>" for name in names).encode()
        found = [one.name or b"" for one in addresses([value])]
        self.assertEqual(
            [name.strip() for name in found], [name.strip().encode() for name in names]
        )

    def test_hostile_values_take_linear_time(self):
        for piece in (b"<,", b"<", b"(", b'"', b"<@a,", b"a@b ", b"g:", b"\\"):
            self.assertLess(len(addresses([piece * 20_000])), 50_000, piece)
