"""Tests for mailtwist.directory.fields."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.model import Config, Server
from mailtwist.config.source import Source
from mailtwist.directory.fields import Fields, limits
from mailtwist.errors import AuthUnavailable

ANN = Address("ann", "x.test")


class FieldsTests(SynchronousTestCase):
    def account(self, texts, asked=ANN, **options):
        source = Source(kind="mysql", **options)
        fields = Fields(Config(server=Server(data="/data")), source)
        entry = fields.entry(asked, texts)
        return None if entry is None else entry.account

    def test_what_a_source_need_not_tell(self):
        account = self.account({})
        self.assertEqual(account.name, "ann@x.test")
        self.assertEqual(account.home, "/data/mail/x.test/ann")
        self.assertEqual(account.mailbox_path, "/data/mail/x.test/ann/Maildir/")
        self.assertTrue(account.enabled)
        self.assertIsNone(account.uses)

    def test_places(self):
        for texts, options, home, mailbox in [
            ({"home": "/h/ann"}, {}, "/h/ann", "/h/ann/Maildir/"),
            ({}, {"home": "/h/%d/%u"}, "/h/x.test/ann", "/h/x.test/ann/Maildir/"),
            ({}, {"home": "h", "mailbox": "/var/mail/%u"}, "/data/h", "/var/mail/ann"),
            ({"mailbox": "M/"}, {"home": "/h"}, "/h", "/h/M/"),
        ]:
            account = self.account(texts, **options)
            self.assertEqual((account.home, account.mailbox_path), (home, mailbox))

    def test_no_name_leads_elsewhere(self):
        for asked, texts, options in [
            (Address("..", "x.test"), {}, {"home": "/h/%u"}),
            (Address("a/../b", "x.test"), {}, {"home": "/h/%u"}),
            (ANN, {"home": "/h/../etc"}, {}),
            (ANN, {"home": "/h\0"}, {}),
            (ANN, {"uid": "0"}, {}),
            (ANN, {"uid": "999"}, {}),
            (ANN, {"uid": "x"}, {}),
            (ANN, {"quota": "much"}, {}),
            (ANN, {"mailbox_limits": "Lists"}, {}),
            (ANN, {"name": "not an address"}, {}),
        ]:
            self.assertRaises(AuthUnavailable, self.account, texts, asked, **options)

    def test_limits_of_mailboxes(self):
        account = self.account({"mailbox_limits": "A: 1 KiB;B/c: 5 messages;"})
        self.assertEqual(
            account.mailbox_limits, ((("A",), 1024, None), (("B", "c"), None, 5))
        )

    def test_no_limit_is_told_apart_from_nothing_said(self):
        for text, unlimited in [("", False), ("0", True), ("1 GiB", False)]:
            self.assertIs(self.account({"quota": text}).unlimited, unlimited, text)

    def test_a_row_of_another_name_is_nobodys(self):
        self.assertIsNone(self.account({"name": "bob@x.test"}))
        self.assertIsNone(self.account({"name": "ann@y.test"}))
        self.assertEqual(self.account({"name": "Ann@X.test"}).name, "Ann@x.test")
        self.assertEqual(self.account({"name": "ann"}).name, "ann@x.test")

    def test_switches(self):
        for text, enabled in [("1", True), ("yes", True), ("0", False), ("N", False)]:
            self.assertEqual(self.account({"enabled": text}).enabled, enabled, text)
        texts = {"uses": "pop3, imap4", "send_as": "a@x.test b@x.test", "groups": "g,h"}
        texts["senders"] = "bob@x.test, $team"
        account = self.account(texts)
        self.assertEqual(account.groups, {"g", "h"})
        self.assertEqual(account.uses, {"pop3", "imap4"})
        self.assertEqual(account.send_as, {"a@x.test", "b@x.test"})
        self.assertEqual(account.senders, {"bob@x.test", "$team"})

    def test_limits(self):
        for text, found in [
            ("", (None, None)),
            ("0", (None, None)),
            ("1000", (1000, None)),
            ("1 GiB", (2**30, None)),
            ("1000S,10C", (1000, 10)),
            ("10c", (None, 10)),
        ]:
            self.assertEqual(limits(text), found)
