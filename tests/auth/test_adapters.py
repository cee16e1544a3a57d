"""Tests for mailtwist.auth.adapters: what a login of another's realm can do."""

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.mail.imap4 import MemoryAccount
from twisted.mail.interfaces import (
    IAccountIMAP,
    IMailboxPOP3,
    IMessageDelivery,
    IMessageDeliveryFactory,
)
from twisted.mail.pop3 import Mailbox
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.address import Address
from mailtwist.auth.adapters import adapted
from mailtwist.errors import NotPermitted
from mailtwist.foreign import IWayIn, missing
from mailtwist.interfaces import IMailAccount


class Accepting:
    def getMessageDelivery(self):
        return self

    def validateFrom(self, helo, origin):
        return origin


@implementer(IRealm)
class Realm:
    def __init__(self, **avatars):
        self.avatars, self.logouts = avatars, 0

    def requestAvatar(self, name, mind, *interfaces):
        for interface in interfaces:
            if interface.__name__ in self.avatars:
                return interface, self.avatars[interface.__name__], self.logout
        raise NotImplementedError

    def logout(self):
        self.logouts += 1


class AdaptedTests(SynchronousTestCase):
    def login(self, protocol, realm):
        checker = InMemoryUsernamePasswordDatabaseDontUse(ann=b"pw")
        portal = adapted(Portal(realm, [checker]), protocol, "mx.example.test")
        return portal.login(UsernamePassword(b"ann", b"pw"), None, IMailAccount)

    def test_each_protocol_gets_the_avatar_it_needs(self):
        class WithoutIds(Mailbox):
            def getUidl(self, index):
                raise NotImplementedError

        pop3 = {IMailboxPOP3.__name__: WithoutIds()}
        imap = {IAccountIMAP.__name__: MemoryAccount("ann")}
        factory = {IMessageDeliveryFactory.__name__: Accepting()}
        delivery = {IMessageDelivery.__name__: Accepting()}
        for protocol, given, lacks in (
            ("pop3", pop3, {"UIDL"}),
            ("pop3", imap, {"UIDPLUS"}),
            ("pop3", pop3 | imap, {"UIDL"}),
            ("imap4", imap, {"UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC"}),
            ("submission", factory, set()),
            ("submission", delivery, set()),
        ):
            realm = Realm(**given)
            kind, account, logout = self.successResultOf(self.login(protocol, realm))
            self.assertIs(kind, IMailAccount)
            self.assertEqual(account.account.name, "ann")
            self.assertLessEqual(lacks, missing(account))
            sends = protocol == "submission"
            self.assertIs(IWayIn.providedBy(account), sends)
            allowed = account.may_send_as(Address("ann", "example.test"))
            with self.assertRaises(StopIteration) as done:
                allowed.send(None)
            self.assertIs(done.exception.value, sends)
            if sends:
                self.assertRaises(
                    NotPermitted, lambda account=account: account.mailboxes
                )
            logout()
            self.assertEqual(realm.logouts, 1)

    def test_a_realm_without_an_avatar_for_the_protocol_lets_nobody_in(self):
        for protocol in ("pop3", "imap4", "submission"):
            self.failureResultOf(self.login(protocol, Realm()), UnauthorizedLogin)

    def test_a_login_that_cannot_be_used_is_ended(self):
        class Broken(Mailbox):
            def getUidl(self, index):
                raise RuntimeError

        realm = Realm(IMailboxPOP3=Broken())
        self.failureResultOf(self.login("pop3", realm), RuntimeError)
        self.assertEqual(realm.logouts, 1)
