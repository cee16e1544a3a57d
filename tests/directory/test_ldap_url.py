"""Tests for mailtwist.directory.ldap_url."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.ldap_url import LdapUrl

WRONG = [
    ("http://h/dc=a", "begins with ldap://", "another scheme"),
    ("ldap:h/dc=a", "begins with ldap://", "no authority"),
    ("ldap:///dc=a", "names no host", "a host of our choice"),
    ("ldap://h:0/dc=a", "port is none", "no port"),
    ("ldap://h:65536/dc=a", "port is none", "a port too high"),
    ("ldap://h i/dc=a", "names no host", "a blank"),
    ("ldap://s3cret@h/dc=a", "holds no login", "a login"),
    ("ldap://cn=a:s3cret@h/dc=a", "holds no login", "a login and a password"),
    ("ldap://cn=a:s3c/ret@h/dc=a", "names no host", "a password with a slash"),
    ("ldap://h", "no base", "nowhere to search"),
    ("ldap://h/?uid", "no base", "nowhere to search"),
    ("ldap://h/dc=%ff", "not UTF-8", "octets that are no text"),
    ("ldap://h/uid=%x", "%x is no code", "an unknown code"),
    ("ldap://h/dc=a?uid,mail", "one attribute", "two attributes"),
    ("ldap://h/dc=a?uid)(a", "one attribute", "syntax of a filter"),
    ("ldap://h/dc=a??deep", "scope is one of sub, one, base", "an unknown scope"),
    ("ldap://h/uid=%u,dc=a?uid", "is no search", "a name and an attribute"),
    ("ldap://h/uid=%u,dc=a??sub", "is no search", "a name and a scope"),
    ("ldap://h/uid=%u,dc=a???(a=b)", "is no search", "a name and a filter"),
    ("ldap://h/dc=a????!bindname=cn=x", "extension", "one that we must know"),
    ("ldap://h/dc=a????a=b,!c", "extension", "one of several that we must know"),
    ("ldap://h/dc=a?????", "more parts", "a sixth part"),
]
SERVERS = (
    "ldap://h",
    "ldap://ldap.example.org:3389",
    "ldap://[2001:db8::1]:389",
    "ldaps://192.0.2.1",
    "ldapi://%2Frun%2Fldapi",
)
DESCRIPTIONS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,9}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


class LdapUrlTests(SynchronousTestCase):
    def test_what_is_no_URL_for_logins_is_told_without_a_password(self):
        for text, why, reason in WRONG:
            fault = self.assertRaises(ValueError, LdapUrl.parse, text)
            self.assertIn(why, str(fault), reason)
            self.assertNotIn("s3c", str(fault), reason)

    def test_what_is_left_out_has_a_default(self):
        for text in ("ldap://h/dc=a", "ldap://h/dc=a????x-ours=1"):
            url = LdapUrl.parse(text)
            self.assertEqual(
                (url.server, url.base.text, url.attribute, url.scope, url.filter),
                ("ldap://h", "dc=a", "uid", "sub", "(objectClass=*)"),
            )

    @given(st.sampled_from(SERVERS), TEXTS, DESCRIPTIONS, TEXTS)
    def test_every_part_comes_back_as_it_was_written(self, server, base, name, query):
        text = quote(base.replace("%", "%%"), safe="")
        url = LdapUrl.parse(f"{server}/{text}?{name}?one?{quote(query, safe='')}")
        self.assertEqual(
            (url.server, url.name_of("ann"), url.attribute, url.scope, url.filter),
            (server, base, name, "one", query),
        )
        self.assertFalse(url.named)

    @given(st.text())
    def test_any_text_is_a_URL_or_told_to_be_none(self, text):
        for whole in (text, f"ldap://h/{text}", f"ldap://h/dc=a?{text}"):
            try:
                self.assertTrue(LdapUrl.parse(whole).base.text)
            except ValueError as fault:
                self.assertTrue(str(fault))

    def test_a_login_name_is_no_syntax(self):
        url = LdapUrl.parse("ldap://h/dc=a?mail??(a=b)")
        self.assertEqual(url.query_of("*)(mail=x"), "(&(a=b)(mail=\\2a\\29\\28mail=x))")
        named = LdapUrl.parse("ldap://h/uid=%25u,dc=%d")
        self.assertTrue(named.named)
        self.assertEqual(named.name_of("a,b@c.test"), "uid=a\\2cb,dc=c.test")
        self.assertIs(named.name_of("ann"), None, "no domain, no name")

    def test_a_domain_that_makes_no_difference_is_known(self):
        for base, names_domain in [
            ("dc=a", True),
            ("uid=%u,dc=a", False),
            ("uid=%u,o=%%s", False),
            ("uid=%u,o=%%%d", True),
            ("mail=%s,dc=a", True),
            ("uid=%u,dc=%2,dc=%1", True),
        ]:
            url = LdapUrl.parse(f"ldap://h/{quote(base)}")
            self.assertIs(url.names_domain, names_domain, base)
