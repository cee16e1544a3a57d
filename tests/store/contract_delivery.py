"""The way in: deliveries to one and several accounts."""

from attrs import evolve

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient, RemoteRecipient
from mailtwist.errors import OverQuota
from mailtwist.mailbox.model import INBOX, Range

TRACE = b"Received: from here by there; today\r\n"
LETTER = b"Subject: hello\r\n\r\nHello\r\n"


class DeliveryContract:
    async def newest(self, tree, path=INBOX):
        """The octets of the newest message."""
        mailbox = await tree.open(path)
        rows = await mailbox.rows()
        octets = await mailbox.octets([Range(rows.uids[-1])])
        await mailbox.close()
        return octets[0]

    async def test_a_delivered_message_has_its_trace(self):
        verdicts = await self.deliver(self.account, octets=LETTER, trace=TRACE)
        self.assertEqual(verdicts, [None])
        octets = await self.newest(self.tree)
        self.assertTrue(octets.startswith(b"Return-Path: <bob@example.test>\r\n"))
        self.assertIn(b"\r\nDelivered-To: ann@example.test\r\n", octets)
        self.assertTrue(octets.endswith(b"\r\n" + TRACE + LETTER))
        self.assertEqual(
            (await self.tree.status(INBOX)).octets, len(octets), "size as shown"
        )

    async def test_delivery_shows_in_status_at_once(self):
        await self.deliver(self.account)
        status = await self.tree.status(INBOX)
        self.assertEqual((status.messages, status.recent, status.unseen), (1, 1, 1))
        self.assertEqual(status.uid_next, 2)

    async def test_an_open_mailbox_takes_deliveries_in(self):
        mailbox = await self.open()
        seen = (await mailbox.changes(0)).highest_modseq
        await self.deliver(self.account)
        changes = await mailbox.changes(seen)
        self.assertEqual(len(changes.rows.uids), 1)
        self.assertGreater(changes.highest_modseq, seen)

    async def test_one_verdict_for_each_recipient(self):
        bob = self.account_of("bob@example.test")
        full = self.account_of("full@example.test", limit=10)
        verdicts = await self.deliver(self.account, full, bob, octets=LETTER)
        self.assertEqual(
            [type(v) for v in verdicts], [type(None), OverQuota, type(None)]
        )
        for account, count in ((self.account, 1), (full, 0), (bob, 1)):
            tree = self.mailboxes(account)
            self.assertEqual((await tree.status(INBOX)).messages, count)
        octets = await self.newest(self.mailboxes(bob))
        self.assertIn(b"Delivered-To: bob@example.test\r\n", octets)
        self.assertNotIn(b"ann@", octets)

    async def test_mail_for_an_account_with_all_its_messages(self):
        self.limited(messages=2)
        for _ in range(2):
            self.assertEqual(await self.deliver(self.account), [None])
        (verdict,) = await self.deliver(self.account)
        self.assertIsInstance(verdict, OverQuota)
        self.limited(messages=3)  # from now on
        self.assertEqual(await self.deliver(self.account), [None])
        self.assertEqual((await self.tree.usage()).messages, 3)

    async def test_delivery_into_a_folder(self):
        await self.tree.create(("Lists",))
        to = LocalRecipient(
            Address.parse("ann+lists@example.test"), self.account, "lists", ("Lists",)
        )
        self.assertEqual(await self.deliver(to, octets=LETTER), [None])
        self.assertEqual((await self.tree.status(("Lists",))).messages, 1)
        octets = await self.newest(self.tree, ("Lists",))
        self.assertIn(b"Delivered-To: ann+lists@example.test\r\n", octets)

    async def test_a_folder_that_is_gone_loses_no_mail(self):
        to = LocalRecipient(
            Address.parse("ann@example.test"), self.account, path=("Gone",)
        )
        flagged = evolve(to, flags=frozenset({"Work"}))
        self.assertEqual(await self.deliver(to, flagged, octets=LETTER), [None, None])
        self.assertEqual((await self.tree.status(INBOX)).messages, 2)

    async def test_a_recipient_elsewhere_is_not_for_a_store(self):
        far = RemoteRecipient(Address.parse("far@elsewhere.test"))
        verdicts = await self.deliver(self.account, far)
        self.assertIsNone(verdicts[0])
        self.assertIsNotNone(verdicts[1])

    async def test_an_aborted_delivery_leaves_nothing(self):
        to = LocalRecipient(Address.parse(self.name), self.account)
        sink = self.store.delivery().begin(Envelope("m", "s", None, (to,)))
        for _ in range(20):
            wait = sink.write(LETTER * 1000)
            if wait is not None:
                await wait
        self.assertEqual(sink.octets, 20_000 * len(LETTER))
        sink.abort()
        sink.abort()  # harmless
        self.assertEqual((await self.tree.status(INBOX)).messages, 0)
        self.assertEqual((await self.tree.usage()).octets, 0)

    async def test_the_null_path(self):
        to = LocalRecipient(Address.parse(self.name), self.account)
        sink = self.store.delivery().begin(Envelope("m", "s", None, (to,)))
        wait = sink.write(LETTER)
        if wait is not None:
            await wait
        self.assertEqual(await sink.commit(), [None])
        self.assertTrue(
            (await self.newest(self.tree)).startswith(b"Return-Path: <>\r\n")
        )

    async def test_a_large_delivery_in_many_writes(self):
        to = LocalRecipient(Address.parse(self.name), self.account)
        sink = self.store.delivery().begin(Envelope("m", "s", None, (to,)))
        chunk = b"0123456789abcdef" * 2047 + b"\r\n"
        for _ in range(40):
            wait = sink.write(chunk)
            if wait is not None:
                await wait
        self.assertEqual(await sink.commit(), [None])
        self.assertTrue((await self.newest(self.tree)).endswith(chunk * 40))
