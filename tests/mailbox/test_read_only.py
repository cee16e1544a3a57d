"""Tests for mailtwist.mailbox.read_only."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.auth.account import MailAccount
from mailtwist.errors import MailboxReadOnly, NotPermitted
from mailtwist.flags import NONE
from mailtwist.mailbox.interfaces import IMailbox, IMailboxes
from mailtwist.mailbox.model import INBOX
from mailtwist.store.memory import MemoryStore

from .compat_world import ANN

MINE = ("Mine",)


class ReadOnlyTests(SynchronousTestCase):
    def setUp(self):
        store = MemoryStore()
        self.all = store.mailboxes(ANN)
        self.only = MailAccount(ANN, store, None, read_only=True).mailboxes
        upload = self.all.upload()
        upload.write(b"Subject: x\r\n\r\n")
        self.done(self.all.append(INBOX, [(upload, NONE, None)]))

    def done(self, work):
        return self.successResultOf(Deferred.fromCoroutine(work))

    def refused(self, fault, work):
        self.failureResultOf(Deferred.fromCoroutine(work), fault)

    def test_the_tree_stays_as_it_is(self):
        verifyObject(IMailboxes, self.only)
        before = self.done(self.all.listed())
        for work in (
            self.only.create(MINE),
            self.only.delete(INBOX),
            self.only.rename(INBOX, MINE),
            self.only.subscribe(MINE),
            self.only.unsubscribe(INBOX),
            self.only.append(INBOX, []),
        ):
            self.refused(NotPermitted, work)
        self.assertRaises(NotPermitted, self.only.upload)
        self.assertEqual(self.done(self.only.listed()), before)

    def test_a_mailbox_is_read_and_nothing_else(self):
        mailbox = self.done(self.only.open(INBOX))
        verifyObject(IMailbox, mailbox)
        self.assertTrue(mailbox.read_only)
        uids = self.done(mailbox.rows()).uids
        self.assertEqual(len(uids), 1)
        self.refused(NotPermitted, mailbox.copy(uids, INBOX))
        self.refused(MailboxReadOnly, mailbox.move(uids, INBOX))
        self.refused(MailboxReadOnly, mailbox.expunge(uids))
        self.assertEqual(self.done(mailbox.status()).messages, 1)
