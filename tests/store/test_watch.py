"""Sessions that watch a folder are told what other programs do, at once."""

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.errors import NoSuchMailbox
from mailtwist.mailbox.model import INBOX
from mailtwist.store.maildir import inotify, watch
from mailtwist.store.maildir.inotify import Inotify

from .contract import MESSAGE, StoreWords, add
from .on_disk import OnDisk

NEVER_S = 10_000.0


class WatchTests(OnDisk, StoreWords, TestCase):
    def make_store(self):
        self.root = os.path.abspath(self.mktemp())
        return self.another_store(poll_s=NEVER_S)

    async def watched(self, path=INBOX):
        """(an open mailbox, what its watcher was told)"""
        mailbox, told = await self.open(path), []
        mailbox.watch(told.append)
        return mailbox, told

    async def test_a_delivery_by_another_program(self):
        mailbox, told = await self.watched()
        for number in range(1, 4):
            self.write(MESSAGE, "tmp", "x")
            new = self.maildir("new", f"170000000{number}.M1P1.x")
            os.rename(self.maildir("tmp", "x"), new)
            await self.until(lambda n=number: len(told) == n, "the message")
        self.assertEqual((await mailbox.rows()).uids, [1, 2, 3])

    async def test_a_rename_and_a_removal_by_another_program(self):
        uid = await self.put()
        mailbox, told = await self.watched()
        (name,) = os.listdir(self.maildir("cur"))
        base = name.partition(":")[0]
        os.rename(self.maildir("cur", name), self.maildir("cur", f"{base}:2,F"))
        await self.until(lambda: told, "the flag")
        self.assertEqual((await mailbox.rows()).flags, [{"\\Flagged"}])
        os.unlink(self.maildir("cur", f"{base}:2,F"))
        await self.until(lambda: len(told) == 2, "the removal")
        changes = await mailbox.changes(told[0])
        self.assertEqual(changes.vanished, [uid])

    async def test_another_process_of_ours(self):
        mailbox, told = await self.watched()
        other = self.another_store(poll_s=NEVER_S).mailboxes(self.account)
        upload = other.upload()
        upload.write(MESSAGE)
        await other.append(INBOX, [(upload, frozenset({"work"}), None)])
        await self.until(lambda: told, "the message")
        self.assertEqual((await mailbox.rows()).flags, [{"work"}])

    async def test_a_folder_that_is_renamed_is_watched_on(self):
        await self.tree.create(("Old",))
        mailbox, told = await self.watched(("Old",))
        await self.tree.rename(("Old",), ("New",))
        self.write(MESSAGE, ".New", "new", "1700000001.M1P1.x")
        await self.until(lambda: told, "the message")
        self.assertEqual((await mailbox.rows()).uids, [1])

    async def test_a_folder_that_another_program_removes(self):
        await self.tree.create(("There",))
        mailbox, told = await self.watched(("There",))
        for part in ("new", "cur", "tmp"):
            os.rmdir(self.maildir(".There", part))
        await self.until(lambda: told, "the end")
        await self.faulty(NoSuchMailbox, mailbox.rows())

    async def test_what_time_stamps_hide_is_found_soon(self):
        mailbox, told = await self.watched()
        self.write(MESSAGE, "new", "1700000001.M1P1.x")
        await self.until(lambda: told, "the first")
        stamp = os.stat(self.maildir("cur"))
        self.write(MESSAGE, "cur", "1700000002.M1P1.x:2,")
        os.utime(self.maildir("cur"), ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        await self.until(lambda: len(told) > 1, "the second")
        self.assertEqual((await mailbox.rows()).uids, [1, 2])

    async def test_many_sessions_are_one_watch_and_the_last_ends_it(self):
        kernel = self.store.inotify()
        sessions = [await self.watched() for _ in range(5)]
        self.assertEqual(self.count(kernel), 2)
        await sessions[0][0].store_flags([], add("\\Seen"))
        for at, (mailbox, _) in enumerate(sessions):
            self.assertEqual(self.count(kernel), 2, at)
            await mailbox.close()
        self.assertEqual(self.count(kernel), 0)

    def count(self, kernel):
        """Watches that the kernel has for us."""
        with open(f"/proc/self/fdinfo/{kernel.fileno()}") as info:
            return sum(line.startswith("inotify ") for line in info)

    async def test_without_inotify_folders_are_polled(self):
        def refuse(flags):
            return -1

        self.patch(inotify._libc, "inotify_init1", refuse)
        self.store = self.another_store(poll_s=0.1)
        self.tree = self.mailboxes(self.account)
        self.assertIsNone(self.store.inotify())
        mailbox, told = await self.watched()
        self.write(MESSAGE, "new", "1700000001.M1P1.x")
        await self.until(lambda: told, "the message")

    async def test_where_other_hosts_write_folders_are_polled_too(self):
        self.patch(watch, "LOCAL", set())
        self.store = self.another_store(poll_s=0.1)
        self.tree = self.mailboxes(self.account)
        self.patch(Inotify, "doRead", lambda kernel: None)  # it tells nothing
        mailbox, told = await self.watched()
        self.write(MESSAGE, "new", "1700000001.M1P1.x")
        await self.until(lambda: told, "the message")


class InotifyTests(TestCase):
    def setUp(self):
        self.kernel = inotify.started(reactor)
        self.addCleanup(self.kernel.close)
        self.folder = self.mktemp()
        os.mkdir(self.folder)

    def told(self):
        told = Deferred()
        return told, lambda: None if told.called else told.callback(None)

    async def test_two_watches_of_one_folder_end_one_by_one(self):
        (one, tell_one), (two, tell_two) = self.told(), self.told()
        end = self.kernel.watch(self.folder, tell_one)
        self.kernel.watch(self.folder, tell_two)
        end()
        end()  # harmless
        os.mkdir(f"{self.folder}/x")
        await two
        self.assertFalse(one.called)

    async def test_a_folder_that_is_deleted_ends_nothing_else(self):
        other = self.mktemp()
        os.mkdir(other)
        (gone, tell_gone), (made, tell_made) = self.told(), self.told()
        end = self.kernel.watch(self.folder, tell_gone)
        self.kernel.watch(other, tell_made)
        os.rmdir(self.folder)
        await gone
        end()
        os.mkdir(f"{other}/x")
        await made

    def test_what_is_no_folder_cannot_be_watched(self):
        self.assertRaises(OSError, self.kernel.watch, f"{self.folder}/none", print)
        open(f"{self.folder}/file", "w").close()
        self.assertRaises(OSError, self.kernel.watch, f"{self.folder}/file", print)

    async def test_an_overflow_is_told_to_all(self):
        told, tell = self.told()
        self.kernel.watch(self.folder, tell)
        overflow = inotify._EVENT.pack(-1, inotify.OVERFLOW, 0, 0)
        self.patch(inotify.os, "read", lambda descriptor, count: overflow)
        self.kernel.doRead()
        self.assertTrue(told.called)


class NoReactorTests(SynchronousTestCase):
    def test_a_reactor_without_descriptors_has_no_inotify(self):
        self.assertIsNone(inotify.started(Clock()))
