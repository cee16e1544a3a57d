"""Columns that are kept in a file: never seen but by how fast a mailbox opens."""

import os
import random
import shutil
from pathlib import Path

from twisted.trial.unittest import TestCase

from mailtwist.flags import DELETED
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Range
from mailtwist.store.maildir import columns, scan

from .contract import MESSAGE, StoreWords, add
from .on_disk import OnDisk

THERE = ("There",)
OLD_S = 1_700_000_000.0


class ColumnsTests(OnDisk, StoreWords, TestCase):
    def setUp(self):
        super().setUp()
        self.patch(columns, "LEAST", 1)
        self.looks = []
        intake = scan.intake

        def counted(live, *arguments):
            self.looks.append(live.path)
            return intake(live, *arguments)

        self.patch(scan, "intake", counted)

    async def fill(self):
        await self.put(flags={"\\Seen", "work"}, date=1234567890)
        await self.put(octets=MESSAGE * 2, flags={"$Forwarded"})
        await self.put(flags={"later", DELETED})
        await self.put()
        await (await self.open()).expunge([2])

    async def rest(self):
        """Close what is idle, long after it was looked at last."""
        for part in ("new", "cur"):
            os.utime(self.maildir(part), (OLD_S, OLD_S))
        mailbox = await self.tree.open(INBOX)
        await mailbox.look_closely(mailbox.readable())
        await mailbox.close()
        await self.store.close()

    def begin(self):
        self.looks.clear()
        self.store = self.another_store()
        self.tree = self.mailboxes(self.account)

    async def seen(self):
        mailbox = await self.open()
        return await mailbox.status(), await mailbox.rows(), mailbox.uid_validity

    async def read_by_rows(self):
        """What a store sees that has no such file, and changes nothing."""
        self.patch(columns, "fill", lambda files, live: False)
        self.patch(columns, "save", lambda files: None)
        await self.restart()
        return await self.seen()

    def file(self):
        folder = os.path.join(self.home(self.name), columns.FOLDER)
        (name,) = os.listdir(folder)
        return os.path.join(folder, name)

    async def test_a_mailbox_that_nobody_touched_opens_without_a_look(self):
        await self.fill()
        before = await self.seen()
        await self.rest()
        self.begin()
        self.assertEqual(await self.seen(), before)
        self.assertEqual(self.looks, [])
        self.assertEqual(await self.put(), 5)
        mailbox = await self.open()
        stored = await mailbox.store_flags([1, 5], add("\\Flagged", "later"))
        expected = [{"\\Seen", "work", "later", "\\Flagged"}, {"later", "\\Flagged"}]
        self.assertEqual(stored.rows.flags, expected)
        self.assertEqual(await mailbox.octets([Range(1)]), [MESSAGE])

    async def test_what_others_did_meanwhile_is_seen(self):
        await self.fill()
        modseq = (await self.seen())[0].highest_modseq
        await self.rest()
        names = sorted(os.listdir(self.maildir("cur")))
        os.unlink(self.maildir("cur", names[0]))
        base = names[1].partition(":")[0]
        os.rename(self.maildir("cur", names[1]), self.maildir("cur", f"{base}:2,F"))
        self.write(MESSAGE, "new", "1700000001.M5P6.other")
        self.write(MESSAGE, "cur", "1700000002.M5P6.other:2,S")
        self.begin()
        changes = await (await self.open()).changes(modseq)
        self.assertEqual(changes.vanished, [1])
        self.assertEqual(changes.rows.uids, [3, 5, 6])
        self.assertEqual(changes.rows.flags, [{"\\Flagged"}, set(), {"\\Seen"}])

    async def test_what_the_state_learned_since_is_put_on_top(self):
        await self.fill()
        await self.rest()
        self.begin()
        with_file = columns.save
        self.patch(columns, "save", lambda files: None)  # as after kill -9
        await self.put(flags={"new", "\\Seen"})
        mailbox = await self.open()
        await mailbox.store_flags([3, 4], add("\\Seen", "another"))
        await mailbox.expunge([1])
        before = await self.seen()
        await self.restart()
        self.assertEqual(await self.seen(), before)
        changes = await (await self.open()).changes(0)
        self.assertEqual(changes.rows.uids, [3, 4, 5])
        self.patch(columns, "save", with_file)
        self.assertEqual(await self.read_by_rows(), before)

    async def test_a_file_of_another_time_is_passed_over(self):
        await self.fill()
        await self.rest()
        state, backup = (
            os.path.join(self.home(self.name), "state.sqlite"),
            self.mktemp(),
        )
        shutil.copy(state, backup)
        self.begin()
        mailbox = await self.open()
        await mailbox.store_flags([1], add("\\Flagged"))
        await self.rest()
        shutil.copy(backup, state)
        self.begin()
        mailbox = await self.open()
        await mailbox.store_flags([3], add("\\Answered"))
        before = await self.seen()
        self.assertEqual(before[1].flags[0], {"\\Seen", "work", "\\Flagged"})
        self.assertEqual(await self.read_by_rows(), before)

    async def test_a_damaged_file_is_passed_over(self):
        await self.fill()
        before = await self.seen()
        chance = random.Random(1)
        for _ in range(30):
            await self.rest()
            octets = bytearray(Path(self.file()).read_bytes())
            if chance.random() < 0.3:
                octets = octets[: chance.randrange(len(octets))]
            elif chance.random() < 0.2:
                octets = bytearray()
            else:
                octets[chance.randrange(len(octets))] ^= chance.randrange(1, 256)
            with open(self.file(), "wb") as file:
                file.write(octets)
            self.begin()
            self.assertEqual(await self.seen(), before)

    async def test_without_its_file_a_mailbox_is_the_same(self):
        await self.fill()
        before = await self.seen()
        await self.rest()
        os.unlink(self.file())
        self.begin()
        self.assertEqual(await self.seen(), before)

    async def test_a_folder_where_something_was_done_just_now_is_looked_at(self):
        await self.fill()
        await self.store.close()
        self.begin()
        self.assertEqual((await self.seen())[1].uids, [1, 3, 4])
        self.assertEqual(self.looks, [INBOX])

    async def test_the_file_goes_with_its_mailbox(self):
        await self.fill()
        await self.tree.create(THERE)
        await self.put(THERE)
        await self.rest()
        folder = os.path.join(self.home(self.name), columns.FOLDER)
        self.assertEqual(len(os.listdir(folder)), 2)
        self.begin()
        await self.tree.delete(THERE)
        await self.put()
        await self.rest()
        self.assertEqual(len(os.listdir(folder)), 1)

    async def test_many_random_changes_and_closings(self):
        chance = random.Random(2)
        await self.fill()
        save = columns.save
        for _ in range(40):
            mailbox = await self.open()
            uids = (await mailbox.rows()).uids
            some = sorted(chance.sample(uids, min(len(uids), 2)))
            act = chance.randrange(4)
            if act == 0 and len(uids) > 3:
                await mailbox.expunge(some)
            elif act == 1:
                action = chance.choice([FlagAction.ADD, FlagAction.REMOVE])
                flag = chance.choice(["\\Seen", DELETED, "work", f"k{len(uids)}"])
                await mailbox.store_flags(some, FlagChange(action, frozenset({flag})))
            elif act == 2:
                await self.put(flags={chance.choice(["\\Seen", "later", "work"])})
            if chance.random() < 0.4:
                before = await self.seen()
                lost = chance.random() < 0.5
                self.patch(columns, "save", (lambda files: None) if lost else save)
                await (self.store.close() if lost else self.rest())
                self.begin()
                self.assertEqual(await self.seen(), before)
                self.patch(columns, "save", save)
        before = await self.seen()
        self.assertEqual(await self.read_by_rows(), before)
