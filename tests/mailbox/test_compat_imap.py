"""Twisted's own IMAP4Server on our mailboxes."""

import gc
import imaplib
import weakref

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread
from twisted.mail.imap4 import (
    IMAP4Server,
    MailboxException,
    MessageSet,
    ReadOnlyMailbox,
)
from twisted.mail.interfaces import (
    IAccountIMAP,
    ICloseableMailboxIMAP,
    IMailboxIMAP,
    IMailboxIMAPInfo,
    IMessageIMAP,
    IMessageIMAPFile,
    INamespacePresenter,
)
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.errors import StorageFull
from mailtwist.flags import DELETED, FLAGGED, RECENT, SEEN
from mailtwist.mailbox import compat_imap_mailbox
from mailtwist.mailbox.compat import imap_account
from mailtwist.mailbox.compat_imap_message import NotLoaded
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange

from .compat_world import Box, serve

ONE = b"From: bob@x\r\nSubject: one\r\nX-A: 1\r\nX-A: 2\r\n\r\nHello\r\n"
MIXED = (
    b"Subject: mixed\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>html\r\n--b--\r\n"
)


class Listener:
    def __init__(self):
        self.told = []

    def newMessages(self, exists, recent):
        self.told.append(("new", exists, recent))

    def flagsChanged(self, flags):
        self.told.append(("flags", flags))

    def modeChanged(self, writeable):
        self.told.append(("mode", writeable))


class CompatImapTestCase(TestCase):
    timeout = 30

    def setUp(self):
        self.box = Box()
        self.account = imap_account(self.box.avatar)
        return Deferred.fromCoroutine(self.fill())

    async def fill(self):
        for octets in (ONE, MIXED, ONE):
            await self.box.put(octets, date=1_000_000_000)

    async def faulty(self, fault, waiting):
        try:
            await waiting
        except fault as raised:
            return raised
        raise self.failureException(f"{fault.__name__} not raised")


class AccountTests(CompatImapTestCase):
    def test_the_interfaces(self):
        verifyObject(IAccountIMAP, self.account)
        verifyObject(INamespacePresenter, self.account)

    async def names(self, pattern="*", reference=""):
        return [
            name for name, _ in await self.account.listMailboxes(reference, pattern)
        ]

    async def test_create_list_rename_delete(self):
        self.assertIs(self.account.create("a/b/"), True)
        self.assertEqual(await self.names(), ["INBOX", "a", "a/b"])
        self.assertEqual(await self.names("%"), ["INBOX", "a"])
        self.assertEqual(await self.names("%", "a/"), ["a/b"])
        self.assertIs(self.account.rename("a", "c"), True)
        self.assertEqual(await self.names(), ["INBOX", "c", "c/b"])
        self.assertIs(self.account.delete("c"), True)
        ((_, info),) = await self.account.listMailboxes("", "c")
        verifyObject(IMailboxIMAPInfo, info)
        self.assertEqual(info.getFlags(), ["\\Noselect"])
        self.assertEqual(info.getHierarchicalDelimiter(), "/")

    def test_faults_are_raised_at_once(self):
        self.account.create("a")
        for method, arguments in (
            (self.account.create, ("a",)),
            (self.account.create, ("INBOX",)),
            (self.account.create, ("a//b",)),
            (self.account.create, ("",)),
            (self.account.delete, ("no",)),
            (self.account.delete, ("INBOX",)),
            (self.account.rename, ("no", "x")),
            (self.account.rename, ("a", "INBOX")),
            (self.account.addMailbox, ("b", object())),
        ):
            self.assertRaises(MailboxException, method, *arguments)

    def test_subscriptions(self):
        self.assertFalse(self.account.isSubscribed("INBOX"))
        self.account.subscribe("inbox")
        self.assertTrue(self.account.isSubscribed("INBOX"))
        self.account.unsubscribe("INBOX")
        self.assertFalse(self.account.isSubscribed("INBOX"))

    async def test_what_cannot_be_selected_is_None(self):
        for name in ("no", "", "a//b"):
            self.assertIsNone(await self.account.select(name))

    def test_a_store_that_waits_is_asked_in_order(self):
        waiting, done = Deferred(), []
        create = self.box.tree.create

        async def slow(path):
            await waiting
            return await create(path)

        self.box.tree.create = slow
        created = self.account.create("a")
        self.assertNoResult(created)
        selected = self.account.select("a")
        selected.addCallback(done.append)
        self.assertEqual(done, [])
        waiting.callback(None)
        self.assertIs(self.successResultOf(created), True)
        self.assertIsNotNone(done[0])

    def test_a_late_fault_is_not_lost(self):
        waiting = Deferred()

        async def full(path):
            await waiting

        self.box.tree.create = full
        created = self.account.create("a")
        waiting.errback(StorageFull())
        self.failureResultOf(created, MailboxException)


class MailboxTests(CompatImapTestCase):
    async def select(self, name="INBOX", rw=True):
        mailbox = await self.account.select(name, rw)
        self.addCleanup(mailbox.close)
        return mailbox

    async def test_the_interfaces(self):
        mailbox = await self.select()
        verifyObject(IMailboxIMAP, mailbox)
        verifyObject(ICloseableMailboxIMAP, mailbox)
        ((_, message),) = await mailbox.fetch(MessageSet(1), False)
        verifyObject(IMessageIMAP, message)
        verifyObject(IMessageIMAPFile, message)

    async def test_figures(self):
        mailbox = await self.select()
        self.assertEqual(mailbox.getMessageCount(), 3)
        self.assertEqual(mailbox.getRecentCount(), 3)
        self.assertEqual(mailbox.getUnseenCount(), 3)
        self.assertEqual(mailbox.getUID(2), 2)
        self.assertEqual(mailbox.getUIDNext(), 4)
        self.assertTrue(mailbox.isWriteable())
        status = await mailbox.requestStatus(["MESSAGES", "UIDNEXT", "UIDVALIDITY"])
        self.assertEqual(
            status,
            {"MESSAGES": 3, "UIDNEXT": 4, "UIDVALIDITY": mailbox.getUIDValidity()},
        )
        self.assertEqual((await self.select()).getRecentCount(), 0)

    async def test_messages(self):
        mailbox = await self.select()
        found = dict(await mailbox.fetch(MessageSet(1, None), False))
        one = found[1]
        self.assertEqual((one.getUID(), one.getSize()), (1, len(ONE)))
        self.assertEqual(one.open().read(), ONE)
        self.assertEqual(one.getBodyFile().read(), b"Hello\r\n")
        self.assertEqual(
            one.getHeaders(False, "SUBJECT", b"x-a"), {"subject": "one", "x-a": "1"}
        )
        self.assertEqual(one.getHeaders(True, "subject", "x-a"), {"from": "bob@x"})
        self.assertEqual(one.getFlags(), [RECENT])
        self.assertIn("2001", one.getInternalDate())
        self.assertFalse(one.isMultipart())
        self.assertRaises(TypeError, one.getSubPart, 0)
        mixed = found[2]
        self.assertTrue(mixed.isMultipart())
        self.assertEqual(mixed.getSubPart(1).getBodyFile().read(), b"<p>html")
        self.assertEqual(
            mixed.getSubPart(0).getHeaders(False, "content-type"),
            {"content-type": "text/plain"},
        )
        self.assertRaises(IndexError, mixed.getSubPart, 2)

    async def test_sets_are_never_expanded(self):
        mailbox = await self.select()
        for uid in (False, True):
            found = await mailbox.fetch(MessageSet(2, 4_294_967_295), uid)
            self.assertEqual([number for number, _ in found], [2, 3])
        self.assertEqual(len(await mailbox.fetch(MessageSet(None), True)), 1)

    async def test_large_fetches_are_bounded(self):
        self.patch(compat_imap_mailbox, "MOST_FETCHED", len(ONE) + 10)
        self.patch(compat_imap_mailbox, "MOST_HEADERS", compat_imap_mailbox.HEADER)
        mailbox = await self.select()
        one, two, three = (
            message for _, message in await mailbox.fetch(MessageSet(1, None), False)
        )
        self.assertEqual(one.open().read(), ONE)
        self.assertEqual(two.getHeaders(False, "subject"), {"subject": "mixed"})
        self.assertRaises(NotLoaded, two.open)
        self.assertEqual(three.getSize(), len(ONE))
        self.assertRaises(NotLoaded, three.getHeaders, False, "subject")

    async def test_flags(self):
        mailbox = await self.select()
        told = await mailbox.store(MessageSet(1, 2), [SEEN], 1, False)
        self.assertEqual(told, {1: [RECENT, SEEN], 2: [RECENT, SEEN]})
        told = await mailbox.store(MessageSet(2), [FLAGGED], 0, True)
        self.assertEqual(told, {2: [FLAGGED, RECENT]})
        told = await mailbox.store(MessageSet(1), [SEEN], -1, False)
        self.assertEqual(told, {1: [RECENT]})
        self.assertEqual(mailbox.getUnseenCount(), 3)

    async def test_expunge_tells_numbers_that_hold_one_after_another(self):
        mailbox = await self.select()
        await mailbox.store(MessageSet(1), [DELETED], 1, False)
        await mailbox.store(MessageSet(3), [DELETED], 1, False)
        self.assertEqual(await mailbox.expunge(), [3, 1])
        self.assertEqual(mailbox.getMessageCount(), 1)
        self.assertEqual(mailbox.getUID(1), 2)

    async def test_what_another_session_expunged_keeps_its_number_until_EXPUNGE(self):
        mailbox, other = await self.select(), await self.select()
        await other.store(MessageSet(1), [DELETED], 1, False)
        await other.expunge()
        self.assertEqual(mailbox.getMessageCount(), 3)
        found = await mailbox.fetch(MessageSet(1, None), False)
        self.assertEqual([number for number, _ in found], [2, 3])
        self.assertEqual(await mailbox.expunge(), [1])
        self.assertEqual(mailbox.getMessageCount(), 2)

    async def test_listeners_hear_of_other_sessions(self):
        mailbox, listener = await self.select(), Listener()
        mailbox.addListener(listener)
        await self.box.put(ONE)
        self.assertEqual(listener.told, [("new", 4, 4)])
        listener.told.clear()
        other = await self.box.tree.open(INBOX)
        await other.store_flags([2], FlagChange(FlagAction.ADD, frozenset({SEEN})))
        self.assertEqual(listener.told, [("flags", {2: [RECENT, SEEN]})])
        mailbox.removeListener(listener)
        self.assertRaises(ValueError, mailbox.removeListener, listener)

    async def test_append(self):
        from io import BytesIO

        mailbox = await self.select()
        uid = await mailbox.addMessage(
            BytesIO(ONE), [FLAGGED], "17-Jul-1996 02:44:25 -0700"
        )
        rows = await self.box.rows()
        self.assertEqual(rows.uids[-1], uid)
        self.assertEqual(rows.flags[-1], {FLAGGED})
        self.assertEqual(rows.internal_dates[-1], 837_596_665)
        self.assertEqual(mailbox.getMessageCount(), 4)
        await self.faulty(
            MailboxException, self.catching(mailbox.addMessage, ONE, (), "yesterday")
        )

    async def catching(self, method, *arguments):
        return await method(*arguments)

    async def test_copy(self):
        self.account.create("a")
        source, target = await self.select(), await self.select("a")
        ((_, message),) = await source.fetch(MessageSet(2), False)
        await target.copy(message)
        self.assertEqual(target.getMessageCount(), 1)
        self.assertEqual((await self.box.rows(("a",))).octets, [len(MIXED)])

    async def test_a_read_only_mailbox(self):
        mailbox = await self.select(rw=False)
        self.assertFalse(mailbox.isWriteable())
        for method, arguments in (
            (mailbox.store, (MessageSet(1), [SEEN], 1, False)),
            (mailbox.expunge, ()),
            (mailbox.addMessage, (ONE,)),
        ):
            self.assertRaises(ReadOnlyMailbox, method, *arguments)

    async def test_a_mailbox_nobody_closed_is_not_kept(self):
        gone = weakref.ref(await self.account.select("INBOX"))
        gc.collect()
        self.assertIsNone(gone())
        await self.box.put(ONE)


class ServerTests(CompatImapTestCase):
    async def test_Twisteds_own_server(self):
        account = self.account

        class Server(IMAP4Server):
            def authenticateLogin(self, user, password):
                return succeed((IAccountIMAP, account, lambda: None))

        port = serve(self, Server)

        def talk():
            client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
            client.login("ann", "x")
            said = {
                "select": client.select("INBOX"),
                "fetch": client.fetch("1:3", "(UID FLAGS RFC822.SIZE INTERNALDATE)"),
                "body": client.fetch("1", "(BODY[])"),
                "structure": client.fetch("2", "(BODYSTRUCTURE)"),
                "store": client.store("2", "+FLAGS", "(\\Deleted)"),
                "search": client.search(None, "UNDELETED"),
                "create": client.create("Entw&APw-rfe"),
                "again": client.create("Entw&APw-rfe"),
                "subscribe": client.subscribe("Entw&APw-rfe"),
                "list": client.list(),
                "lsub": client.lsub(),
                "copy": client.copy("1", "Entw&APw-rfe"),
                "append": client.append("INBOX", "(\\Seen)", None, ONE),
                "status": client.status("INBOX", "(MESSAGES UIDNEXT)"),
                "expunge": client.expunge(),
                "rename": client.rename("Entw&APw-rfe", "b"),
                "delete": client.delete("b"),
                "no": client.select("b"),
                "namespace": client.namespace(),
            }
            client.logout()
            return said

        said = await deferToThread(talk)
        self.assertEqual(
            {name for name, (status, _) in said.items() if status != "OK"},
            {"again", "no"},
        )
        self.assertEqual(said["select"][1][0], b"3")
        self.assertEqual(len(said["fetch"][1]), 3)
        self.assertEqual(said["body"][1][0][1], ONE)
        self.assertIn(b'"html"', said["structure"][1][0].lower())
        self.assertEqual(said["search"][1], [b"1 3"])
        self.assertEqual(len(said["list"][1]), 2)
        self.assertEqual(len(said["lsub"][1]), 1)
        self.assertIn(b"MESSAGES 4", said["status"][1][0])
        self.assertEqual(said["expunge"][1], [b"2"])
        self.assertEqual(await self.box.count(), 3)
