"""Tests for mailtwist.auth.realm and account: what a login gets."""

from attrs import evolve
from twisted.cred.error import UnauthorizedLogin
from twisted.mail.interfaces import IAccountIMAP, IMailboxPOP3
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.auth.account import MailAccount
from mailtwist.auth.names import account_key, login_key
from mailtwist.auth.realm import MailRealm
from mailtwist.auth.senders import OfOwner, SendAs
from mailtwist.directory.model import Account
from mailtwist.errors import AuthUnavailable
from mailtwist.interfaces import IDirectory, IMailAccount

from .rooms import NoMail

ANN = Account("ann@example.test", "/mail/ann", send_as=frozenset({"sales@x.test"}))
BOB = Account("bob@example.test", "/mail/bob", enabled=False)
TAGGED = Account("ann+own@example.test", "/mail/tagged")


@implementer(IDirectory)
class Directory:
    """Some accounts in memory; one that is down with none."""

    def __init__(self, *accounts):
        self.known = {login_key(account.name): account for account in accounts}

    async def has_domain(self, domain):
        return domain == "example.test"

    async def account(self, name):
        if not self.known:
            raise AuthUnavailable()
        return self.known.get(login_key(name))

    async def account_for(self, address):
        return self.known.get(account_key(address))

    async def first_account(self):
        return next(iter(self.known.values()), None)


class Drop:
    """What a maker of avatars made."""

    def __init__(self, account):
        self.account, self.ended = account, 0

    def logout(self):
        self.ended += 1


async def later(account):
    return Drop(account)


class RealmTests(SynchronousTestCase):
    def setUp(self):
        makers = {IMailboxPOP3: Drop, IAccountIMAP: later}
        directory = Directory(ANN, BOB)
        self.realm = MailRealm(directory, NoMail(), "+", makers)

    def avatar(self, name, *interfaces):
        return self.realm.requestAvatar(name, None, *interfaces)

    def test_the_rich_avatar(self):
        interface, avatar, logout = self.successResultOf(
            self.avatar(b"ann@example.test", IMailAccount)
        )
        self.assertIs(interface, IMailAccount)
        self.assertTrue(verifyObject(IMailAccount, avatar))
        self.assertEqual(avatar.account, ANN)
        self.assertEqual(avatar.mailboxes, "mailboxes of ann@example.test")
        logout()

    def test_the_first_interface_that_is_known_is_given(self):
        for interfaces in [
            (IMailboxPOP3, IMailAccount),
            (IDirectory, IMailboxPOP3),
            (IAccountIMAP,),
        ]:
            interface, avatar, _ = self.successResultOf(
                self.avatar(b"ann@example.test", *interfaces)
            )
            self.assertIn(interface, (IMailboxPOP3, IAccountIMAP))
            self.assertEqual(avatar.account.account, ANN)

    def test_the_avatar_is_logged_out_once(self):
        _, avatar, logout = self.successResultOf(
            self.avatar(b"ann@example.test", IMailboxPOP3)
        )
        logout()
        logout()
        self.assertEqual(avatar.ended, 1)

    def test_who_gets_none(self):
        for name, why in [
            (b"nobody@example.test", "removed since the check"),
            (b"bob@example.test", "disabled"),
            ((), "anonymous"),
        ]:
            asked = self.avatar(name, IMailAccount)
            self.assertTrue(self.failureResultOf(asked, UnauthorizedLogin), why)

    def test_anonymous_logins_get_what_is_open_to_all(self):
        self.realm.open_to_all.add(IMailboxPOP3)
        _, avatar, _ = self.successResultOf(self.avatar((), IMailboxPOP3))
        self.assertIsNone(avatar.account)
        asked = self.avatar((), IMailAccount, IMailboxPOP3)
        self.failureResultOf(asked, UnauthorizedLogin)

    def test_an_interface_nobody_makes(self):
        asked = self.avatar(b"ann@example.test", IDirectory)
        self.failureResultOf(asked, NotImplementedError)

    def test_a_directory_that_is_down(self):
        self.realm = MailRealm(Directory(), NoMail())
        asked = self.avatar(b"ann@example.test", IMailAccount)
        self.failureResultOf(asked, AuthUnavailable)


class SendAsTests(SynchronousTestCase):
    directory = Directory(ANN, BOB, TAGGED)

    def may(self, text, account=ANN, separator="+"):
        avatar = MailAccount(account, NoMail(), self.directory, separator)
        asked = avatar.may_send_as(Address.parse(text))
        try:
            asked.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("it waited for something")

    def test_addresses(self):
        for text, want, why in [
            ("ann@example.test", True, "its own"),
            ("Ann@EXAMPLE.test", True, "its own, spelled otherwise"),
            ("ann+list@example.test", True, "a subaddress"),
            ("sales@x.test", True, "granted"),
            ("Sales@x.test", True, "granted, spelled otherwise"),
            ("sales+eu@x.test", False, "a subaddress of another address"),
            ("bob@example.test", False, "somebody else"),
            ("ann@other.test", False, "another domain"),
            ("ann+own@example.test", False, "an account of its own"),
            ("ann", False, "no domain"),
            ("annette@example.test", False, "only the beginning is the same"),
            ("+list@example.test", False, "no user"),
        ]:
            self.assertEqual(self.may(text), want, why)

    def test_without_subaddresses(self):
        self.assertFalse(self.may("ann+list@example.test", separator=""))

    def test_an_address_that_is_shared(self):
        senders = SendAs([OfOwner()], login_key)
        self.directory = Directory(ANN, evolve(BOB, senders=frozenset({"$team"})))
        for groups, text, want, why in [
            ({"team"}, "bob@example.test", True, "of another account"),
            ({"team"}, "bob+list@example.test", True, "a subaddress of it"),
            (set(), "bob@example.test", False, "not in the group"),
            ({"team"}, "carol@example.test", False, "another address"),
        ]:
            account = evolve(ANN, groups=frozenset(groups))
            avatar = MailAccount(account, NoMail(), self.directory, senders=senders)
            asked = avatar.may_send_as(Address.parse(text))
            with self.assertRaises(StopIteration) as done:
                asked.send(None)
            self.assertEqual(done.exception.value, want, why)

    def test_a_whole_domain(self):
        account = evolve(ANN, send_as=frozenset({"@x.test"}))
        self.assertTrue(self.may("anybody@x.test", account))
        self.assertFalse(self.may("anybody@sub.x.test", account))
        self.assertFalse(self.may("nodomain", account))
        account = evolve(ANN, send_as=frozenset({"@X.test"}))
        self.assertTrue(self.may("anybody@x.test", account), "as a database has it")
        account = evolve(ANN, send_as=frozenset({"*"}))
        self.assertTrue(self.may("anybody@else.test", account), "any address at all")
