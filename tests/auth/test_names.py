"""Tests for mailtwist.auth.names."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.auth.names import (
    account_key,
    address_of,
    folded,
    login_key,
    master_of,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


class NamesTests(SynchronousTestCase):
    def test_spellings_of_one_account(self):
        for one, other, why in [
            ("Ann@example.test", "ann@EXAMPLE.test", "case"),
            ("ann@b\u00fccher.test", "ann@xn--bcher-kva.test", "A-labels"),
            ("caf\u00e9@x.test", "cafe\u0301@x.test", "composed or not"),
            ("STRASSE@x.test", "stra\u00dfe@x.test", "full case folding"),
            ("\u03a3\u03a3@x.test", "\u03c3\u03c2@x.test", "final sigma"),
            ("\ufb01n@x.test", "fin@x.test", "as SASLprep writes it"),
            ('"ann"@x.test', "ann@x.test", "needless quotes"),
            ('"a b"@x.test', '"A B"@x.test', "needed quotes"),
        ]:
            self.assertEqual(login_key(one), login_key(other), why)

    def test_different_accounts(self):
        for one, other in [
            ("ann@a.test", "ann@b.test"),
            ("ann@a.test", "ann"),
            ("ann@a.test", "ann+tag@a.test"),
            ("a.b@x.test", "ab@x.test"),
        ]:
            self.assertNotEqual(login_key(one), login_key(other))

    def test_the_default_domain(self):
        self.assertEqual(login_key("Ann", "example.test"), "ann@example.test")
        self.assertEqual(login_key("ann@x.test", "example.test"), "ann@x.test")
        self.assertEqual(login_key("no address <", "example.test"), "no address <")

    @given(TEXT)
    @settings(max_examples=300, deadline=None)
    def test_folding_twice_is_once(self, text):
        self.assertEqual(folded(folded(text)), folded(text))

    @given(TEXT, TEXT)
    @settings(deadline=None)
    def test_any_text_has_a_key(self, text, domain):
        self.assertIsInstance(login_key(f"{text}@{domain}"), str)

    @given(st.from_regex(r"[a-z0-9+._-]{1,20}", fullmatch=True))
    @settings(deadline=None)
    def test_the_key_of_a_name_is_the_key_of_its_address(self, local_part):
        address = Address(local_part, "x.test")
        self.assertEqual(login_key(str(address)), account_key(address))

    def test_what_other_sources_are_asked_for(self):
        for name, asked, why in [
            ("Ann@Example.Test", "ann@example.test", "case"),
            ("\uff21nn@x.test", "ann@x.test", "full width"),
            ("cafe\u0301@x.test", "caf\u00e9@x.test", "composed"),
            ("ann", "ann@default.test", "the default domain"),
        ]:
            self.assertEqual(str(address_of(name, "default.test")), asked, why)
        for name, why in [
            ("\ufb01n@x.test", "a ligature"),
            ('"a b"@x.test', "a space"),
            ("a\u200bb@x.test", "a zero width space"),
            ("\u05d0a@x.test", "both directions"),
            ("a*b@c@d", "no address"),
        ]:
            self.assertIsNone(address_of(name, "default.test"), why)

    def test_a_master_is_named_behind_the_mark(self):
        for name, found in [
            ("ann@x.test*root@x.test", ("ann@x.test", "root@x.test")),
            ("ann*root", ("ann", "root")),
            ("ann", None),
            ("*root", None),
            ("ann*", None),
        ]:
            self.assertEqual(master_of(name), found)
