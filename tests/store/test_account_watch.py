"""What other processes and programs do anywhere in an account is told."""

import os

from twisted.trial.unittest import TestCase

from mailtwist.mailbox.metadata import ACCOUNT
from mailtwist.mailbox.model import INBOX
from mailtwist.store.maildir import account_watch, inotify

from .contract import MESSAGE, StoreWords
from .contract_watch import WatchContract
from .on_disk import OnDisk

NEVER_S = 10_000.0
THERE = ("There",)


class AccountWatchTests(OnDisk, StoreWords, TestCase):
    """By the kernel's word alone: nothing is polled."""

    poll_s = NEVER_S
    watched = WatchContract.watched

    def make_store(self):
        self.root = os.path.abspath(self.mktemp())
        return self.another_store(poll_s=self.poll_s)

    def other(self):
        return self.another_store(poll_s=NEVER_S).mailboxes(self.account)

    async def until_told(self, told, *paths):
        await self.until(lambda: set(paths) <= set(told), f"{paths}, not {told}")
        told.clear()

    async def test_a_delivery_by_another_program_into_a_mailbox_nobody_opened(self):
        await self.tree.create(THERE)
        told, _ = await self.watched()
        self.write(MESSAGE, ".There", "new", "1700000001.M1P1.x")
        await self.until_told(told, THERE)
        self.assertNotIn(THERE, self.tree.files.live)
        self.write(MESSAGE, "new", "1700000002.M1P1.x")
        await self.until_told(told, INBOX)

    async def test_a_folder_that_another_program_makes_and_removes(self):
        told, _ = await self.watched()
        self.make_maildir(".Made")
        await self.until_told(told, None)
        self.write(MESSAGE, ".Made", "new", "1700000001.M1P1.x")
        await self.until_told(told, ("Made",))
        os.unlink(self.maildir(".Made", "new", "1700000001.M1P1.x"))
        for part in ("new", "cur", "tmp"):
            os.rmdir(self.maildir(".Made", part))
        os.rmdir(self.maildir(".Made"))
        await self.until_told(told, None)

    async def test_a_new_account_may_be_watched(self):
        told, _ = await self.watched()
        self.assertEqual(await self.names(), [INBOX])
        await self.put()
        await self.until_told(told, INBOX)

    async def test_another_process_of_ours(self):
        await self.tree.create(THERE)
        told, _ = await self.watched()
        other = self.other()
        upload = other.upload()
        upload.write(MESSAGE)
        await other.append(THERE, [(upload, frozenset(), None)])
        await self.until_told(told, THERE)
        await other.rename(THERE, ("Away",))
        await self.until_told(told, None)

    async def test_a_watch_that_ended_leaves_nothing_behind(self):
        await self.tree.create(THERE)
        told, end = await self.watched()
        _, last = await self.watched()
        end()
        last()
        kernel = self.store.inotify()
        with open(f"/proc/self/fdinfo/{kernel.fileno()}") as info:
            self.assertNotIn("inotify wd", info.read())
        again, _ = await self.watched()
        self.write(MESSAGE, "new", "1700000001.M1P1.x")
        await self.until_told(again, INBOX)
        self.assertEqual(told, [])


class PolledTests(OnDisk, StoreWords, TestCase):
    """Without the kernel's word."""

    watched = WatchContract.watched
    until_told = AccountWatchTests.until_told

    def make_store(self):
        self.patch(inotify._libc, "inotify_init1", lambda flags: -1)
        self.root = os.path.abspath(self.mktemp())
        return self.another_store(poll_s=0.1)

    async def test_other_programs(self):
        told, _ = await self.watched()
        self.write(MESSAGE, "new", "1700000001.M1P1.x")
        await self.until_told(told, INBOX)
        self.make_maildir(".Made")
        await self.until_told(told, None)

    async def test_subscriptions_by_another_process(self):
        told, _ = await self.watched()
        await self.another_store().mailboxes(self.account).subscribe(THERE)
        await self.until_told(told, None)

    async def test_annotations_that_another_process_changes(self):
        await self.tree.create(THERE)
        told, _ = await self.watched()
        other = self.another_store().mailboxes(self.account)
        for path in (THERE, ACCOUNT):
            for value in (b"new", None):
                await other.set_metadata(path, [("/shared/comment", value)], 10)
                await self.until_told(told, ACCOUNT)


class ManyFoldersTests(OnDisk, StoreWords, TestCase):
    watched = WatchContract.watched
    until_told = AccountWatchTests.until_told

    def make_store(self):
        self.root = os.path.abspath(self.mktemp())
        return self.another_store(poll_s=0.1)

    async def test_folders_beyond_those_that_the_kernel_is_asked_for_are_polled(self):
        self.patch(account_watch, "MOST_TOLD", 2)
        for number in range(6):
            self.make_maildir(f".m{number}")
        told, _ = await self.watched()
        for number in range(6):
            self.write(MESSAGE, f".m{number}", "new", "1700000001.M1P1.x")
        await self.until_told(told, *((f"m{number}",) for number in range(6)))
