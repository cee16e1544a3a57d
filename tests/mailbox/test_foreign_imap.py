"""Tests for mailtwist.mailbox.foreign_imap: another's IAccountIMAP as our mailboxes."""

from io import BytesIO

from twisted.internet.defer import Deferred, succeed
from twisted.mail.imap4 import MemoryAccount
from twisted.mail.interfaces import IMailboxIMAP, IMessageIMAP
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.errors import (
    MailboxExists,
    MailboxFault,
    MailboxReadOnly,
    NoSuchMailbox,
    NotPermitted,
)
from mailtwist.flags import DELETED, FLAGGED, SEEN
from mailtwist.mailbox.foreign_imap import ForeignMailboxes
from mailtwist.mailbox.model import INBOX, Column, FlagAction, FlagChange, Range


@implementer(IMessageIMAP)
class Parts:
    """A message that gives header and body only, no file."""

    def __init__(self, uid, octets, flags, date):
        self.uid, self.flags, self.date = uid, set(flags), date
        header, _, self.body = octets.partition(b"\r\n\r\n")
        rows = (row.split(b": ", 1) for row in header.split(b"\r\n"))
        self.headers = {k.decode().lower(): v.decode() for k, v in rows}

    def getHeaders(self, negate, *names):
        return dict(self.headers)

    def getBodyFile(self):
        return BytesIO(self.body)

    def isMultipart(self):
        return False

    def getSubPart(self, part):
        raise TypeError

    def getSize(self):
        return 1

    def getUID(self):
        return self.uid

    def getFlags(self):
        return list(self.flags)

    def getInternalDate(self):
        return self.date


@implementer(IMailboxIMAP)
class Box:
    def __init__(self, writable=True):
        self.messages, self.next, self.listeners = {}, 7, []
        self.writable = writable

    def addMessage(self, message, flags=(), date=None):
        self.messages[self.next] = Parts(self.next, message.read(), flags, date)
        self.next += 1
        return succeed(None)

    def fetch(self, messages, uid):
        rows = enumerate(list(self.messages), 1)
        return succeed([(n, self.messages[u]) for n, u in rows if n in messages])

    def store(self, messages, flags, mode, uid):
        for each in self.messages:
            if each in messages:
                had = self.messages[each].flags
                chosen = {1: had | set(flags), 0: set(flags), -1: had - set(flags)}
                self.messages[each].flags = chosen[mode]

    def destroy(self):
        self.messages.clear()

    def expunge(self):
        for uid in [u for u, m in self.messages.items() if DELETED in m.flags]:
            del self.messages[uid]

    def getFlags(self):
        return []

    def getHierarchicalDelimiter(self):
        return "/"

    def getUIDValidity(self):
        return 99

    def getUIDNext(self):
        return self.next

    def getMessageCount(self):
        return len(self.messages)

    def getRecentCount(self):
        return 0

    def isWriteable(self):
        return self.writable

    def addListener(self, listener):
        self.listeners.append(listener)

    def removeListener(self, listener):
        self.listeners.remove(listener)


class Account(MemoryAccount):
    def _emptyMailbox(self, name, id):
        return Box()


class ForeignTests(SynchronousTestCase):
    def setUp(self):
        account = Account("ann")
        account.create("INBOX")
        self.inbox = account.select("INBOX")
        self.account, self.tree = account, ForeignMailboxes(account)

    def result(self, work):
        return self.successResultOf(Deferred.fromCoroutine(work))

    def fault(self, work, kind):
        return self.failureResultOf(Deferred.fromCoroutine(work), kind).value

    def add(self, *bodies, flags=(), path=INBOX):
        for body in bodies:
            upload = self.tree.upload()
            upload.write(b"Subject: " + body + b"\r\n\r\n" + body + b"\r\n")
            self.result(self.tree.append(path, [(upload, frozenset(flags), 86400)]))

    def opened(self, **how):
        return self.result(self.tree.open(INBOX, **how))

    def test_the_tree_is_the_avatars(self):
        self.result(self.tree.create(("A", "B")))
        self.result(self.tree.subscribe(("A", "B")))
        found = {info.path: info.subscribed for info in self.result(self.tree.listed())}
        self.assertEqual(found, {INBOX: False, ("A",): False, ("A", "B"): True})
        self.result(self.tree.rename(("A", "B"), ("C",)))
        self.result(self.tree.delete(("A",)))
        paths = [info.path for info in self.result(self.tree.listed())]
        self.assertEqual(paths, [INBOX, ("C",)])

    def test_its_faults_are_told_as_ours(self):
        self.result(self.tree.create(("A",)))
        for work, kind in (
            (self.tree.create(("A",)), MailboxExists),
            (self.tree.delete(("none",)), MailboxFault),
            (self.tree.rename(("none",), ("B",)), NoSuchMailbox),
            (self.tree.open(("none",)), NoSuchMailbox),
            (self.tree.delete(INBOX), NotPermitted),
            (self.tree.create(("S",), frozenset({"\\Sent"})), NotPermitted),
        ):
            self.fault(work, kind)

    def test_messages_without_a_file_are_put_together_and_sized(self):
        self.add(b"one")
        mailbox = self.opened()
        rows = self.result(mailbox.rows())
        (octets,) = self.result(mailbox.octets([Range(7)]))
        self.assertEqual(octets.lower(), b"subject: one\r\n\r\none\r\n")
        self.assertEqual((rows.octets, rows.internal_dates), ([len(octets)], [86400]))
        (row, gone) = self.result(mailbox.rendered([7, 8], [Column.ENVELOPE]))
        self.assertIn(b'"one"', row[0])
        self.assertIsNone(gone)

    def test_flags_change_and_the_change_is_numbered(self):
        self.add(b"one", b"two")
        mailbox = self.opened()
        before = self.result(mailbox.status()).highest_modseq
        change = FlagChange(FlagAction.ADD, frozenset({FLAGGED}))
        stored = self.result(mailbox.store_flags([8], change))
        self.assertEqual(stored.rows.flags, [frozenset({FLAGGED})])
        self.assertEqual(self.result(mailbox.changes(before)).rows.uids, [8])
        stored = self.result(mailbox.store_flags([8], change, unchanged_since=before))
        self.assertEqual((stored.rows.uids, stored.modified), ([], [8]))

    def test_expunging_some_spares_the_other_deleted_ones(self):
        self.add(b"one", b"two", b"three", flags={DELETED})
        mailbox = self.opened()
        self.assertEqual(self.result(mailbox.expunge([8])).uids, [8])
        rows = self.result(mailbox.rows())
        self.assertEqual((rows.uids, rows.flags), ([7, 9], [frozenset({DELETED})] * 2))
        self.assertEqual(self.result(mailbox.expunge()).uids, [7, 9])

    def test_another_session_is_told_what_came_and_went(self):
        self.add(b"one", b"two")
        mailbox, called = self.opened(), []
        end = mailbox.watch(called.append)
        modseq = self.result(mailbox.status()).highest_modseq
        del self.inbox.messages[7]
        self.add(b"three")
        for listener in self.inbox.listeners:
            listener.newMessages(2, None)
        self.assertEqual(len(called), 1)
        changes = self.result(mailbox.changes(modseq))
        self.assertEqual((changes.rows.uids, changes.vanished), ([9], [7]))
        end()
        self.result(mailbox.close())
        self.assertEqual(self.inbox.listeners, [])

    def test_copies_keep_flags_and_dates_and_moves_are_refused(self):
        self.result(self.tree.create(("A",)))
        self.add(b"one", flags={SEEN})
        mailbox = self.opened()
        copied = self.result(mailbox.copy([7, 8], ("A",)))
        self.assertEqual((copied.source_uids, copied.target_uids), ([7], []))
        rows = self.result(self.result(self.tree.open(("A",))).rows())
        self.assertEqual((rows.flags, rows.internal_dates), ([{SEEN}], [86400]))
        self.fault(mailbox.move([7], ("A",)), NotPermitted)

    def test_read_only_mailboxes_stay_as_they_are(self):
        self.add(b"one", flags={DELETED})
        self.inbox.writable = False
        for mailbox in (self.opened(), self.opened(read_only=True)):
            change = FlagChange(FlagAction.ADD, frozenset({SEEN}))
            self.fault(mailbox.store_flags([7], change), MailboxReadOnly)
            self.fault(mailbox.expunge(), MailboxReadOnly)
        self.assertEqual(len(self.inbox.messages), 1)
