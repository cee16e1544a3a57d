"""Twisted's own POP3 server on our maildrop."""

import poplib

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.mail.interfaces import IMailboxPOP3
from twisted.mail.pop3 import POP3
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.errors import StorageFull
from mailtwist.mailbox.compat import pop3_mailbox

from .compat_world import Box, serve

ONE = b"Subject: one\r\n\r\nHello\r\n.dot\r\n"


class CompatPop3Tests(TestCase):
    timeout = 30

    async def asyncSetUp(self):
        self.box = Box()
        for octets in (ONE, b"Subject: two\r\n\r\n" + b"x" * 70 + b"\r\n" * 9000, ONE):
            await self.box.put(octets)
        self.drop = await pop3_mailbox(self.box.avatar)

    def setUp(self):
        return Deferred.fromCoroutine(self.asyncSetUp())

    def test_the_interface(self):
        verifyObject(IMailboxPOP3, self.drop)

    def test_sizes_and_ids(self):
        self.assertEqual(self.drop.listMessages(0), len(ONE))
        self.assertEqual(len(self.drop.listMessages()), 3)
        ids = {self.drop.getUidl(index) for index in range(3)}
        self.assertEqual(len(ids), 3)

    def test_an_index_that_is_not_there(self):
        for index in (-1, 3):
            for method in (
                self.drop.listMessages,
                self.drop.getMessage,
                self.drop.getUidl,
                self.drop.deleteMessage,
            ):
                self.assertRaises(IndexError, method, index)

    async def test_a_message_is_a_file_with_LF(self):
        with await self.drop.getMessage(0) as file:
            self.assertEqual(file.read(), ONE.replace(b"\r\n", b"\n"))
        with await self.drop.getMessage(1) as file:
            self.assertNotIn(b"\r", file.read())

    async def test_line_ends_over_chunk_boundaries(self):
        octets = b"a: b\r\n\r\n" + b"\r\n" * 200_000
        uid = await self.box.put(octets + b"x" * 65_535 + b"\r\nend")
        drop = await pop3_mailbox(self.box.avatar)
        with await drop.getMessage(uid - 1) as file:
            self.assertEqual(
                file.read(), b"a: b\n\n" + b"\n" * 200_000 + b"x" * 65_535 + b"\nend"
            )

    async def test_what_is_gone_is_a_ValueError(self):
        await (await self.box.tree.open(("INBOX",))).expunge([1])
        try:
            await self.drop.getMessage(0)
        except ValueError:
            return
        raise self.failureException("no ValueError")

    async def test_deleted_at_sync(self):
        self.drop.deleteMessage(1)
        self.assertEqual(self.drop.listMessages()[1], 0)
        self.assertEqual(self.drop.listMessages(1), 0)
        self.assertEqual(await self.box.count(), 3)
        self.drop.undeleteMessages()
        self.assertGreater(self.drop.listMessages(1), 0)
        self.drop.deleteMessage(0)
        await self.drop.sync()
        self.assertEqual((await self.box.rows()).uids, [2, 3])

    async def test_a_fault_at_sync_is_logged(self):
        async def full(uids):
            raise StorageFull()

        self.drop._mailbox.expunge = full
        self.drop.deleteMessage(0)
        await self.drop.sync()
        self.assertEqual(len(self.flushLoggedErrors(StorageFull)), 1)

    async def test_Twisteds_own_server(self):
        drop = self.drop

        class Server(POP3):
            def authenticateUserPASS(self, user, password):
                return IMailboxPOP3, drop, lambda: None

        port = serve(self, Server)

        def talk():
            client = poplib.POP3("127.0.0.1", port, timeout=20)
            try:
                client.user("ann")
                client.pass_("x")
                return (
                    client.stat()[0],
                    client.uidl()[1],
                    client.retr(1)[1],
                    client.top(3, 1)[1],
                    client.dele(2),
                )
            finally:
                client.quit()

        count, ids, one, top, _ = await deferToThread(talk)
        self.assertEqual(count, 3)
        self.assertEqual(
            [row.split()[1] for row in ids], [drop.getUidl(n) for n in range(3)]
        )
        self.assertEqual(b"\r\n".join(one) + b"\r\n", ONE)
        self.assertEqual(top[:2], [b"Subject: one", b""])
        self.assertEqual((await self.box.rows()).uids, [1, 3])
