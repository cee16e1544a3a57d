"""An mbox as INBOX beside a Maildir keeps every promise of IStore, as one account."""

import os

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.config.deleting import Deleted
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import MessageGone, OverQuota
from mailtwist.mailbox.interfaces import IMailbox, IMailboxes
from mailtwist.mailbox.model import INBOX, Column, Range

from .contract import StoreContract, StoreWords
from .inline import InlineLocalStore
from .test_mbox_store import InFiles

THERE = ("There",)
ONE = b"Subject: one\r\n\r\nFrom here\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"0123456789\r\n" * 40_000


class Mixed(InFiles):
    mailbox = "maildir:Maildir:INBOX=spool"

    def maildir(self, *parts):
        return os.path.join(self.home(self.name), "Maildir", *parts)

    async def contents(self, path):
        """(octets, flags, date) of each message."""
        box = await self.tree.open(path)
        rows = await box.rows()
        octets = await box.octets([Range(uid) for uid in rows.uids])
        await box.close()
        return list(zip(octets, map(set, rows.flags), rows.internal_dates, strict=True))


class MixedStoreTests(Mixed, StoreContract, TestCase):
    async def test_interfaces(self):
        verifyObject(IMailboxes, self.tree)
        verifyObject(IMailbox, await self.open(INBOX))


class KindTests(Mixed, StoreWords, TestCase):
    async def test_inbox_is_the_file_and_others_are_folders(self):
        await self.tree.create(THERE)
        await self.put(INBOX, ONE)
        await self.put(THERE, ONE)
        with open(self.inbox, "rb") as file:
            self.assertEqual(file.read().count(b"\n>From here"), 1)
        self.assertEqual(len(os.listdir(self.maildir(".There", "cur"))), 1)
        self.assertEqual(os.listdir(self.maildir("cur")), [])

    async def test_mail_of_other_programs_is_seen_in_both(self):
        await self.tree.create(THERE)
        await self.tree.status(INBOX)
        with open(self.inbox, "ab") as file:
            file.write(b"From x Thu Jan  1 00:00:00 1970\n\nmail\n\n")
        with open(self.maildir(".There", "new", "1.x"), "wb") as file:
            file.write(b"\r\nmail\r\n")
        for path in (INBOX, THERE):
            self.assertEqual((await self.tree.status(path)).messages, 1, path)
        marked = {info.path: info.marked for info in await self.tree.listed()}
        self.assertEqual(marked, {INBOX: False, THERE: False})

    async def test_messages_go_both_ways_as_they_are(self):
        await self.tree.create(THERE)
        flags = {"\\Seen", "work"}
        for octets in (ONE, LARGE):
            await self.put(INBOX, octets, flags=frozenset(flags), date=86400)
        before = await self.contents(INBOX)
        inbox = await self.open(INBOX)
        copied = await inbox.copy([2, 1], THERE)
        self.assertEqual((copied.source_uids, copied.target_uids), ([2, 1], [1, 2]))
        self.assertEqual(await self.contents(THERE), before[::-1])
        there = await self.open(THERE)
        moved = await there.move([1, 2], INBOX)
        self.assertEqual((moved.source_uids, moved.target_uids), ([1, 2], [3, 4]))
        self.assertEqual(await self.contents(THERE), [])
        self.assertEqual(await self.contents(INBOX), before + before[::-1])
        await inbox.move([1, 2, 3, 4], THERE)
        self.assertEqual(os.path.getsize(self.inbox), 0)
        self.assertEqual(await self.contents(THERE), before + before[::-1])

    async def test_what_went_is_the_same_mail(self):
        await self.tree.create(THERE)
        await self.put(INBOX, ONE)
        columns = (Column.EMAIL_ID, Column.THREAD_ID)
        inbox, there = await self.open(INBOX), await self.open(THERE)
        before = await inbox.rendered([1], columns)
        await inbox.copy([1], THERE)
        await there.status()
        self.assertEqual(await there.rendered([1], columns), before)
        await there.move([1], INBOX)
        await inbox.status()
        self.assertEqual(await inbox.rendered([2], columns), before)

    async def test_a_message_is_replaced_by_one_of_the_other_kind(self):
        await self.tree.create(THERE)
        await self.put(INBOX, ONE)
        inbox = await self.open(INBOX)
        upload = self.tree.upload(THERE)
        upload.write(LARGE)
        await inbox.replace(1, THERE, (upload, frozenset({"\\Draft"}), 5))
        self.assertEqual(await self.contents(THERE), [(LARGE, {"\\Draft"}, 5)])
        self.assertEqual(await self.contents(INBOX), [])
        upload = self.tree.upload(THERE)
        upload.write(ONE)
        lost = inbox.replace(1, THERE, (upload, frozenset(), 5))
        await self.faulty(MessageGone, lost)

    async def test_renaming_inbox_takes_its_messages_into_a_folder(self):
        await self.put(INBOX, ONE)
        await self.tree.rename(INBOX, THERE)
        self.assertEqual([one[0] for one in await self.contents(THERE)], [ONE])
        self.assertEqual(await self.contents(INBOX), [])

    async def test_usage_is_of_both(self):
        await self.tree.create(THERE)
        await self.put(INBOX, ONE)
        await self.put(THERE, ONE)
        for _ in range(2):
            usage = await self.tree.usage()
            self.assertEqual((usage.messages, usage.octets), (2, 2 * len(ONE)))
            await self.tree.recount()
        inbox = await self.open(INBOX)
        await inbox.move([1], THERE)
        self.assertEqual((await self.tree.usage()).octets, 2 * len(ONE))
        self.assertEqual((await self.tree.check()).findings, [])

    async def test_a_full_account_can_move_and_not_copy(self):
        self.limited(len(ONE) + 10)
        await self.tree.create(THERE)
        await self.put(INBOX, ONE)
        inbox = await self.open(INBOX)
        await self.faulty(OverQuota, inbox.copy([1], THERE))
        await inbox.move([1], THERE)
        there = await self.open(THERE)
        await there.move([1], INBOX)
        self.assertEqual([one[0] for one in await self.contents(INBOX)], [ONE])
        self.assertEqual((await self.tree.usage()).octets, len(ONE))

    async def test_a_lost_state_gives_the_same_uids(self):
        await self.tree.create(THERE)
        for path in (INBOX, THERE):
            for _ in range(3):
                await self.put(path, ONE, flags=frozenset({"work"}))
            box = await self.open(path)
            await box.expunge([2])
            await box.close()

        async def seen(path):
            box = await self.open(path)
            rows = await box.rows()
            found = box.uid_validity, rows.uids, rows.flags
            await box.close()
            return found

        before = [await seen(path) for path in (INBOX, THERE)]
        await self.store.close()
        for name in os.listdir(self.home(self.name)):
            if name.startswith("state.sqlite"):
                os.unlink(f"{self.home(self.name)}/{name}")
        self.store = self.another_store()
        self.tree = self.mailboxes(self.account)
        self.assertEqual([await seen(path) for path in (INBOX, THERE)], before)
        self.assertEqual((await self.tree.check()).findings, [])


class KeptTests(SynchronousTestCase):
    def test_what_is_deleted_is_kept_of_both_kinds_and_what_moves_is_not(self):
        home = os.path.abspath(self.mktemp())
        store = InlineLocalStore(deleted=Deleted(keep_s=1000.0))
        self.addCleanup(lambda: store.now(store.close()))
        account = Account("ann", home, mailbox="maildir:Maildir:INBOX=spool")
        tree = store.mailboxes(account)
        kept = store.mailboxes(evolve(account, deleted=True))

        async def run():
            await tree.create(THERE)
            for path in (INBOX, THERE):
                upload = tree.upload(path)
                upload.write(ONE)
                await tree.append(path, [(upload, frozenset(), 1)])
            inbox, there = await tree.open(INBOX), await tree.open(THERE)
            await inbox.move([1], THERE)
            await there.move([1], INBOX)
            none = {i.path for i in await kept.listed() if i.selectable}
            await inbox.status()
            await inbox.expunge([2])
            await tree.delete(THERE)
            some = [(await kept.status(path)).messages for path in (INBOX, THERE)]
            await inbox.close()
            await there.close()
            return none, some

        none, some = store.now(run())
        self.assertEqual((none, some), ({INBOX}, [1, 1]))


class AccountTests(SynchronousTestCase):
    def test_the_location_says_where_both_are(self):
        account = Account("a", "/h", mailbox="maildir:~/Maildir:INBOX=/var/mail/a")
        self.assertEqual(account.mailbox_path, "/var/mail/a")
        self.assertEqual(account.folders_path, "/h/Maildir")
        self.assertTrue(account.is_mbox)
        self.assertTrue(account.in_mbox(INBOX))
        self.assertFalse(account.in_mbox(THERE))
        self.assertTrue(Account("a", "/h", mailbox="mbox:~/mail").in_mbox(THERE))
        self.assertFalse(Account("a", "/h").in_mbox(INBOX))


class DeliveryTests(Mixed, StoreWords, TestCase):
    async def test_mail_is_delivered_into_both_kinds(self):
        await self.tree.create(THERE)
        for path in (INBOX, THERE):
            for octets in (ONE, LARGE):
                for flags in (frozenset(), frozenset({"\\Seen", "work"})):
                    verdicts = await self.deliver(octets, path, flags)
                    self.assertEqual(verdicts, [None])
            found = await self.contents(path)
            self.assertEqual(
                sorted((len(one[0]) > 1000, "work" in one[1]) for one in found),
                [(False, False), (False, True), (True, False), (True, True)],
                path,
            )

    async def deliver(self, octets, path, flags):
        to = LocalRecipient(
            Address.parse(self.name), self.account, path=path, flags=flags
        )
        sink = self.store.delivery().begin(Envelope("m", "s", None, (to,)))
        waited = sink.write(octets)
        if waited is not None:
            await waited
        return await Deferred.fromCoroutine(sink.commit())
