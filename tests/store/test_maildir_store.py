"""The Maildir store keeps every promise of IStore; and its own: what is on disk."""

import os
import random

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.directory.model import Account
from mailtwist.errors import MailboxExists, OverQuota, SystemBusy
from mailtwist.flags import NONE
from mailtwist.mailbox.interfaces import IMailbox, IMailboxes, IStore, IUpload
from mailtwist.mailbox.model import INBOX, Column, Range
from mailtwist.store.maildir import content, folders, keywords, store

from .contract import MESSAGE, StoreContract, StoreWords, add, remove, replace
from .on_disk import OnDisk


class MaildirStoreTests(OnDisk, StoreContract, TestCase):
    async def test_interfaces(self):
        verifyObject(IStore, self.store)
        verifyObject(IMailboxes, self.tree)
        verifyObject(IMailbox, await self.open(INBOX))
        verifyObject(IUpload, self.tree.upload())


class RestartTests(OnDisk, StoreWords, TestCase):
    async def test_everything_is_there_after_a_restart(self):
        await self.put(flags={"\\Seen", "work"}, date=1234567890)
        await self.put(octets=b"two\r\n")
        await self.tree.create(("A", "b/c"), frozenset({"\\Sent"}))
        await self.tree.subscribe(("A", "b/c"))
        mailbox = await self.open()
        await mailbox.copy([1], ("A", "b/c"))
        await mailbox.expunge([2])
        await mailbox.take_recent()
        seen = [
            (await mailbox.rows()),
            (await mailbox.status()),
            (await self.tree.listed()),
            (await self.tree.status(("A", "b/c"))),
        ]
        await self.restart()
        mailbox = await self.open()
        again = [
            (await mailbox.rows()),
            (await mailbox.status()),
            (await self.tree.listed()),
            (await self.tree.status(("A", "b/c"))),
        ]
        self.assertEqual(again, seen)
        self.assertEqual((await mailbox.changes(0)).vanished, [2])
        self.assertEqual(await self.put(), 3, "UIDs are never used again")

    async def test_a_message_is_one_file_with_its_sizes_and_flags(self):
        await self.put(flags={"\\Seen", "\\Draft", "$Forwarded"}, date=1234567890)
        (name,) = os.listdir(self.maildir("cur"))
        size = len(MESSAGE)
        self.assertTrue(name.endswith(f",S={size},W={size}:2,DPS"), name)
        seen = os.stat(self.maildir("cur", name))
        self.assertEqual(int(seen.st_mtime), 1234567890)
        self.assertEqual(seen.st_mode & 0o777, 0o600)

    async def test_keywords_beyond_26_survive_a_restart(self):
        names = {f"k{number}" for number in range(40)}
        await self.put(flags=names)
        await self.restart()
        mailbox = await self.open()
        self.assertEqual((await mailbox.rows()).flags, [names])
        await mailbox.store_flags([1], remove("K30", "k5"))
        self.assertEqual((await mailbox.rows()).flags, [names - {"k30", "k5"}])

    async def test_too_many_keywords_are_refused_and_change_nothing(self):
        self.patch(keywords, "MOST_KEYWORDS", 30)
        await self.put(flags={"old"})
        mailbox = await self.open()
        many = replace(*(f"k{number}" for number in range(30)))
        await self.faulty(OverQuota, mailbox.store_flags([1], many))
        self.assertEqual((await mailbox.rows()).flags, [{"old"}])
        await mailbox.store_flags([1], add("new"))

    async def test_copies_are_links(self):
        await self.put()
        await self.tree.create(("There",))
        await (await self.open()).copy([1], ("There",))
        (one,) = os.listdir(self.maildir("cur"))
        (other,) = os.listdir(self.maildir(".There", "cur"))
        self.assertTrue(
            os.path.samefile(
                self.maildir("cur", one), self.maildir(".There", "cur", other)
            )
        )

    async def test_where_links_cannot_be_the_file_is_copied(self):
        await self.put()
        await self.tree.create(("There",))

        def link(*_, **__):
            raise OSError(18, "Invalid cross-device link")

        self.patch(os, "link", link)
        await (await self.open()).copy([1], ("There",))
        there = await self.open(("There",))
        self.assertEqual(await there.octets([Range(1)]), [MESSAGE])

    async def test_an_over_long_name_survives_a_restart(self):
        path = ("ä" * 180, "b")
        await self.tree.create(path)
        await self.put(path)
        await self.restart()
        self.assertIn(path, await self.names())
        await self.tree.rename(path, ("c" * 300,))
        self.assertEqual((await self.tree.status(("c" * 300,))).messages, 1)


class ManyTests(OnDisk, StoreWords, TestCase):
    async def test_a_mailbox_is_made_without_a_look_at_the_others(self):
        """Ten thousand are made in a time that does not grow with their square."""
        await self.tree.create(("A",))
        self.patch(folders, "listed", None)
        await self.tree.create(("A", "B", "C"))
        await self.tree.create(("long" * 60,))
        await self.faulty(MailboxExists, self.tree.create(("A", "B")))
        await self.faulty(MailboxExists, self.tree.create(("long" * 60,)))
        await self.faulty(MailboxExists, self.tree.create(INBOX))

    async def test_actions_at_once_each_happen_once(self):
        await self.tree.create(("There",))
        mailbox = await self.open()
        work = [Deferred.fromCoroutine(self.put()) for _ in range(20)]
        uids = await gatherResults(work)
        self.assertEqual(sorted(uids), list(range(1, 21)))
        work = [
            Deferred.fromCoroutine(one)
            for at in range(1, 19, 3)
            for one in (
                mailbox.store_flags([at], add("\\Seen")),
                mailbox.copy([at], ("There",)),
                mailbox.move([at + 1], ("There",)),
                mailbox.expunge([at + 2]),
            )
        ]
        await gatherResults(work)
        self.assertEqual((await mailbox.rows()).uids, [1, 4, 7, 10, 13, 16, 19, 20])
        self.assertEqual((await self.tree.status(("There",))).messages, 12)
        await self.restart()
        status = await self.tree.status(INBOX)
        self.assertEqual((status.messages, status.unseen), (8, 2))

    async def test_giving_up_a_wait_stops_no_work(self):
        mailbox = await self.open()
        await self.put()
        waits = [
            Deferred.fromCoroutine(mailbox.store_flags([1], add("\\Seen"))),
            Deferred.fromCoroutine(mailbox.copy([1], INBOX)),
        ]
        for wait in waits:
            wait.addErrback(lambda _: None)
            wait.cancel()
        await self.until(lambda: not self.tree.files.busy, "the work to end")
        rows = await mailbox.rows()
        self.assertEqual(rows.flags, [{"\\Seen"}, {"\\Seen"}])

    async def test_scattered_expunges_leave_the_right_columns(self):
        await self.put_all(
            INBOX, [(b"%d\r\n" % number, NONE, number) for number in range(300)]
        )
        mailbox = await self.open()
        gone = list(range(1, 301, 2))
        await mailbox.expunge(gone)
        rows = await mailbox.rows()
        self.assertEqual(rows.uids, list(range(2, 301, 2)))
        self.assertEqual(rows.internal_dates, list(range(1, 300, 2)))
        self.assertEqual((await mailbox.changes(2)).vanished, gone)
        octets = await mailbox.octets([Range(2), Range(300)])
        self.assertEqual(octets, [b"1\r\n", b"299\r\n"])

    async def test_many_accounts_do_not_keep_many_files_open(self):
        self.patch(store, "MOST_OPEN", 4)
        self.patch(store, "MOST_KEPT", 6)
        opened = []
        for number in range(20):
            tree = self.mailboxes(Account(f"u{number}", self.home(f"u{number}")))
            opened.append(await tree.open(INBOX))
            await opened[-1].take_recent()
        await self.until(
            lambda: self.open_databases() <= 4 * 2, "idle accounts to be closed"
        )
        statuses = [await mailbox.status() for mailbox in opened]
        self.assertEqual([status.messages for status in statuses], [0] * 20)

    def open_databases(self):
        names = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
        links = [os.readlink(name) for name in names if os.path.lexists(name)]
        return len([x for x in links if x.startswith(self.root) and x.endswith("e")])

    async def test_a_closed_store_says_so(self):
        await self.put()
        await self.store.close()
        await self.faulty(SystemBusy, self.tree.listed())


class AheadTests(OnDisk, StoreWords, TestCase):
    async def fill(self):
        self.reads = 0
        letters = [b"%d\r\n" % number * 300 for number in range(1, 41)]
        await self.put_all(INBOX, [(octets, NONE, None) for octets in letters])
        read = content.read

        def counted(*arguments):
            self.reads += 1
            return read(*arguments)

        self.patch(content, "read", counted)
        return await self.open(), letters

    async def test_messages_taken_in_order_are_read_several_at_a_time(self):
        mailbox, letters = await self.fill()
        for uid, octets in enumerate(letters, 1):
            count = None if uid % 2 else len(octets)
            self.assertEqual(await mailbox.octets([Range(uid, 0, count)]), [octets])
        self.assertLess(self.reads, 8)

    async def test_in_any_order_and_part_it_is_the_same(self):
        mailbox, letters = await self.fill()
        chance = random.Random(3)
        uid = 1
        for _ in range(200):
            uid = chance.choice([uid % 40 + 1, uid, chance.randint(1, 40)])
            start, count = chance.choice([(0, None), (0, 9), (7, 5), (0, 10**9)])
            found = await mailbox.octets([Range(uid, start, count)])
            end = None if count is None else start + count
            self.assertEqual(found, [letters[uid - 1][start:end]])

    async def test_what_was_read_ahead_and_expunged_is_gone(self):
        mailbox, letters = await self.fill()
        for uid in (1, 2):
            await mailbox.octets([Range(uid)])
        await mailbox.expunge([3])
        self.assertEqual(await mailbox.octets([Range(3)]), [None])
        self.assertEqual(await mailbox.octets([Range(4)]), [letters[3]])

    async def test_a_session_that_waits_keeps_nothing(self):
        mailbox, _ = await self.fill()
        for uid in (1, 2):
            await mailbox.octets([Range(uid)])
        before = self.reads
        mailbox.watch(lambda modseq: None)
        await mailbox.octets([Range(3)])
        self.assertEqual(self.reads, before + 1)


class RenderedTests(OnDisk, StoreWords, TestCase):
    async def test_many_messages_cold_and_warm(self):
        await self.put_all(
            INBOX,
            [(b"Subject: %d\r\n\r\n" % n, NONE, None) for n in range(1, 301)],
        )
        mailbox = await self.open()
        uids = list(range(1, 303))
        for _ in range(2):
            found = await mailbox.rendered(uids, (Column.ENVELOPE,))
            self.assertEqual(found[300:], [None, None])
            for uid in range(1, 301):
                self.assertIn(b'"%d"' % uid, found[uid - 1][0])

    async def test_what_is_cached_between_does_not_stand_for_what_is_not(self):
        await self.put_all(
            INBOX, [(b"Subject: %d\r\n\r\n" % n, NONE, None) for n in range(1, 4)]
        )
        mailbox = await self.open()
        await mailbox.rendered([1, 2], (Column.ENVELOPE,))
        found = await mailbox.rendered([1, 3], (Column.ENVELOPE,))
        self.assertIn(b'"3"', found[1][0])

    async def test_a_very_large_message_is_parsed_from_a_copy(self):
        octets = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * (9 << 20)
        await self.put(octets=octets)
        mailbox = await self.open()
        found = await mailbox.rendered([1], (Column.ENVELOPE,))
        self.assertIn(b'"large"', found[0][0])
        self.assertEqual(os.listdir(self.maildir("tmp")), [])
