"""Tests for mailtwist.directory.ldap: what is asked, without a server."""

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth.checkers.ldap import BindChecker
from mailtwist.config.model import Config, Domain
from mailtwist.config.source import Source
from mailtwist.directory.fields import Entry
from mailtwist.directory.ldap import EntryKey, LdapDirectory, in_clear, in_group
from mailtwist.directory.model import Account
from mailtwist.errors import ConfigError
from mailtwist.tables.ldap_connections import LdapConnections
from mailtwist.tables.query import filter_escaped, template
from mailtwist.tables.settings import LdapAccounts

NOWHERE = {"servers": ("ldap://127.0.0.1:1",), "base": "dc=test", "account": "(a=%s)"}
HOSTILE = [
    ("*)(uid=*", "\\2a\\29\\28uid=\\2a", "a filter of their own"),
    ("*", "\\2a", "everybody"),
    ("ann)(|(uid=*", "ann\\29\\28|\\28uid=\\2a", "another operand"),
    ("ann\0", "ann\\00", "the end of a text in C"),
    ("a\\2a", "a\\5c2a", "something escaped already"),
    ("\uff0a", "\\ef\\bc\\8a", "a fullwidth asterisk"),
    ("' OR 1=1 --", "' OR 1=1 --", "SQL means nothing here"),
]


class FilterTests(SynchronousTestCase):
    def test_nothing_of_a_name_becomes_syntax(self):
        for text, escaped, why in HOSTILE:
            key = EntryKey(text, dn=f"cn={text}")
            found = template("(&(uid=%s)(m=%D))", "D").filled(key, filter_escaped)
            self.assertEqual(found, f"(&(uid={escaped})(m=cn={escaped}))", why)

    def test_a_group_is_required(self):
        group = "cn=50%(mail),dc=test"
        for nested, rule in [(False, ""), (True, ":1.2.840.113556.1.4.1941:")]:
            settings = LdapAccounts(**NOWHERE, group=group, nested=nested)
            made = template(in_group(settings, "(uid=%s)"))
            self.assertEqual(
                made.filled(EntryKey("ann"), filter_escaped),
                f"(&(uid=ann)(memberOf{rule}=cn=50%\\28mail\\29,dc=test))",
            )


class LdapDirectoryTests(SynchronousTestCase):
    def directory(self, more=""):
        path = os.path.abspath(self.mktemp())
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                'servers = ["ldap://127.0.0.1:1"]\nbase = "dc=test"\n'
                f'account = "(mail=%s)"\n{more}'
            )
        os.chmod(path, 0o600)
        config = Config(domain=(Domain(name="x.test"),))
        return LdapDirectory(Clock(), config, Source(kind="ldap", settings=path))

    def test_settings_that_cannot_be_used(self):
        for more, why in [
            ('group_filter = "(cn=mail)"', "it asks for nobody"),
            ('group_filter = "member=%D"', "no filter"),
            ('address = "(mail=%D)"', "no DN is known yet"),
            ('fields = ["home=x"]', "no name"),
            ("starttls = true\nca = 5", "no path"),
            ('verify = "ask"', "no such way"),
        ]:
            with self.assertRaises((ConfigError, ValueError), msg=why):
                self.directory(more)

    def test_names_of_other_domains_are_not_asked_for(self):
        directory = self.directory()
        for name in ("ann@y.test", "ann", "*)(uid=*", ""):
            self.assertIsNone(
                self.successResultOf(Deferred.fromCoroutine(directory.entry(name))),
                name,
            )

    def test_servers_that_cannot_be_used(self):
        for servers, starttls, why in [
            ((), False, "none"),
            (("host",), False, "no URL"),
            (("http://host",), False, "another protocol"),
            (("ldaps://host",), True, "TLS twice"),
        ]:
            settings = LdapAccounts(
                **{**NOWHERE, "servers": servers}, starttls=starttls
            )
            with self.assertRaises(ValueError, msg=why):
                LdapConnections(settings, None, "sources")

    def test_passwords_in_clear_are_told(self):
        for url, clear in [
            ("ldap://ldap.example.org", True),
            ("ldap://192.0.2.1:389", True),
            ("ldap://[2001:db8::1]", True),
            ("ldaps://ldap.example.org", False),
            ("ldapi://%2Frun%2Fslapd%2Fldapi", False),
            ("ldap://127.0.0.1:389", False),
            ("ldap://[::1]", False),
            ("ldap://localhost", False),
        ]:
            self.assertEqual(in_clear(url), clear, url)

    def test_no_server_is_asked_about_no_password_or_no_name(self):
        """Such a bind succeeds, and proves nothing."""
        connections = LdapConnections(LdapAccounts(**NOWHERE), None, "sources")
        self.assertFalse(connections.bind("cn=ann", b""))
        self.assertFalse(connections.bind("", b"pw"))
        self.assertFalse(connections.bind("cn=ann", b"p\xe4ss"))


class OnePassword:
    """A directory with one account."""

    def __init__(self):
        self.asked = []

    async def verified(self, name, password):
        self.asked.append((name, password))
        if (name, password) != ("ann@x.test", b"pw"):
            return None
        return Entry(Account(name, "/h"), dn="uid=ann,dc=test")


class BindCheckerTests(SynchronousTestCase):
    def setUp(self):
        self.directory = OnePassword()
        self.checker = BindChecker(self.directory)

    def check(self, name, password):
        return self.checker.requestAvatarId(UsernamePassword(name, password))

    def test_the_server_says_who_is_right(self):
        self.assertEqual(
            self.successResultOf(self.check(b"ann@x.test", b"pw")), b"ann@x.test"
        )
        self.failureResultOf(self.check(b"ann@x.test", b"no"), UnauthorizedLogin)
        self.failureResultOf(self.check(b"bob@x.test", b"pw"), UnauthorizedLogin)
        self.failureResultOf(self.check(b"\xff", b"pw"), UnauthorizedLogin)

    def test_what_is_no_password_is_not_asked_about(self):
        for name, password, why in [
            (b"ann@x.test", b"", "no login (RFC 4513 §5.1.2)"),
            (b"ann@x.test", b"pw\0", "a server in C might not see the rest"),
            (b"ann@x.test", b"x" * 2000, "too long"),
        ]:
            self.failureResultOf(self.check(name, password), UnauthorizedLogin)
            self.assertEqual(self.directory.asked, [], why)

    @given(st.binary(max_size=50))
    def test_only_the_password_fits(self, password):
        if password != b"pw":
            self.failureResultOf(self.check(b"ann@x.test", password), UnauthorizedLogin)
