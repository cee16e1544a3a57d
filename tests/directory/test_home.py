"""Tests for mailtwist.directory.home: no address leads out of the data folder."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.directory.home import MOST_NAME, decoded, encoded, home_of
from mailtwist.errors import BadAddress

LOCAL = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


class HomeTests(SynchronousTestCase):
    def test_examples(self):
        for local_part, domain, want in [
            ("ann", "example.test", "mail/example.test/ann"),
            ("Ann+List", "example.test", "mail/example.test/ann+list"),
            (".", "example.test", "mail/example.test/%2E"),
            ("..", "example.test", "mail/example.test/%2E."),
            ("a/../b", "example.test", "mail/example.test/a%2F..%2Fb"),
            ("a\0b", "example.test", "mail/example.test/a%00b"),
            ("ann", "[192.0.2.1]", "mail/%5B192.0.2.1%5D/ann"),
            ("ann", "[IPv6:::1]", "mail/%5BIPv6%3A%3A%3A1%5D/ann"),
            ("\u00e9", "b\u00fccher.test", "mail/xn--bcher-kva.test/%C3%A9"),
        ]:
            self.assertEqual(home_of(Address(local_part, domain)), want)

    def test_what_no_folder_can_be_called(self):
        for address in (Address("", "x.test"), Address("\u4e2d" * 40, "x.test")):
            self.assertRaises(BadAddress, home_of, address)

    @given(LOCAL)
    @settings(deadline=None)
    def test_one_safe_name_for_any_local_part(self, local_part):
        try:
            parts = home_of(Address(local_part, "x.test")).split("/")
        except BadAddress:
            return
        self.assertEqual(parts[:2], ["mail", "x.test"])
        self.assertEqual(len(parts), 3)
        self.assertFalse(parts[2].startswith("."))
        self.assertRegex(parts[2], r"\A[A-Za-z0-9%._~+=-]+\Z")
        self.assertLessEqual(len(parts[2]), MOST_NAME)

    @given(LOCAL)
    @settings(deadline=None)
    def test_it_can_be_read_back(self, text):
        self.assertEqual(decoded(encoded(text)), text)
