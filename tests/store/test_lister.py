"""Listings are put together anew when something changed, and only then."""

import os
import shutil

from twisted.trial.unittest import TestCase

from mailtwist.mailbox.metadata import SPECIAL_USE
from mailtwist.mailbox.model import INBOX
from mailtwist.store.agent import listings
from mailtwist.store.maildir import lister

from .contract import StoreWords
from .on_disk import OnDisk
from .test_agent_contract import OverSocket


class ListerTests(OnDisk, StoreWords, TestCase):
    async def test_while_nothing_changes_it_is_the_same(self):
        await self.tree.create(("a", "b"))
        listing = await self.tree.listed()
        await self.put(("a",))
        await self.tree.status(("a", "b"))
        self.assertIs(await self.tree.listed(), listing)

    async def test_every_change_of_names_is_seen(self):
        await self.tree.create(("there",))
        for change, names in (
            (lambda: self.tree.create(("new",)), [("new",), ("there",)]),
            (lambda: self.tree.rename(("new",), ("it",)), [("it",), ("there",)]),
            (lambda: self.tree.delete(("it",)), [("there",)]),
        ):
            await change()
            self.assertEqual(await self.names(), [INBOX, *names])
            self.assertEqual(await self.names(), [INBOX, *names])

    async def test_every_change_of_what_a_name_is_is_seen(self):
        await self.tree.create(("a",))
        self.assertFalse((await self.info(("a",))).subscribed)
        await self.tree.subscribe(("a",))
        self.assertTrue((await self.info(("a",))).subscribed)
        await self.tree.unsubscribe(("a",))
        self.assertFalse((await self.info(("a",))).subscribed)
        await self.tree.set_metadata(("a",), [(SPECIAL_USE, b"\\Junk")], 9)
        self.assertEqual((await self.info(("a",))).special_uses, {"\\Junk"})

    async def test_what_another_process_changes_is_seen(self):
        await self.tree.listed()
        other = self.another_store().mailboxes(self.account)
        await other.create(("theirs",), frozenset({"\\Sent"}))
        self.assertEqual((await self.info(("theirs",))).special_uses, {"\\Sent"})
        await other.subscribe(("theirs",))
        self.assertTrue((await self.info(("theirs",))).subscribed)
        await other.delete(("theirs",))
        self.assertEqual(
            [info.exists for info in await self.tree.listed()], [True, False]
        )

    async def test_folders_of_other_programs_are_seen_at_once(self):
        for name in ("one", "two"):
            self.make_maildir(f".{name}")
            self.assertIn((name,), await self.names())
        shutil.rmtree(self.maildir(".one"))
        self.assertEqual(await self.names(), [INBOX, ("two",)])
        os.rename(self.maildir(".two"), self.maildir(".three"))
        self.assertEqual(await self.names(), [INBOX, ("three",)])

    async def test_a_folder_that_another_program_makes_in_steps_is_seen(self):
        await self.tree.listed()
        os.mkdir(self.maildir(".slow"))
        long_ago = 1_000_000_000
        os.utime(self.maildir(), (long_ago, long_ago))
        self.assertEqual(await self.names(), [INBOX])
        os.mkdir(self.maildir(".slow", "cur"))
        self.assertEqual(await self.names(), [INBOX, ("slow",)])

    async def test_an_old_folder_is_not_listed_again(self):
        self.make_maildir(".a")
        await self.tree.create(("b",))
        long_ago = 1_000_000_000
        os.utime(self.maildir(), (long_ago, long_ago))
        before = await self.tree.listed()
        self.patch(os, "listdir", None)
        self.assertIs(await self.tree.listed(), before)

    async def test_a_name_that_another_one_changes_is_looked_at_again(self):
        utf8, utf7 = ".Entw\xfcrfe", ".Entw&APw-rfe"
        self.make_maildir(utf8)
        self.assertEqual(await self.names(), [INBOX, ("Entw\xfcrfe",)])
        self.make_maildir(utf7)
        self.assertEqual(len(await self.names()), 3)
        shutil.rmtree(self.maildir(utf7))
        self.assertEqual(await self.names(), [INBOX, ("Entw\xfcrfe",)])

    async def test_new_mail_marks_the_mailboxes_of_an_account_with_few(self):
        self.patch(lister, "MOST_MARKED", 2)
        self.make_maildir()
        self.make_maildir(".a")
        self.write(b"Subject: new\n\n", ".a", "new", "1.M1P1.mx")
        self.assertTrue((await self.info(("a",))).marked)
        await self.tree.status(("a",))
        self.assertFalse((await self.info(("a",))).marked)
        self.write(b"Subject: new\n\n", ".a", "new", "2.M1P1.mx")
        self.make_maildir(".b")
        self.assertFalse((await self.info(("a",))).marked)


class AgentListerTests(OverSocket, OnDisk, StoreWords, TestCase):
    async def test_a_listing_comes_in_parts_and_once(self):
        self.patch(listings, "PART", 3)
        for number in range(8):
            await self.tree.create((f"{number}",))
        listing = await self.tree.listed()
        self.assertEqual(listing, await self.behind.mailboxes(self.account).listed())
        self.assertEqual(len(listing), 9)
        self.assertIs(await self.tree.listed(), listing)
        await self.tree.subscribe(("3",))
        self.assertEqual(
            [info.path for info in await self.tree.listed() if info.subscribed],
            [("3",)],
        )

    async def test_another_agent_is_asked_for_all_of_it(self):
        await self.tree.create(("a",))
        listing = await self.tree.listed()
        await self.crash()
        await self.tree.create(("b",))
        self.assertEqual(await self.names(), [INBOX, ("a",), ("b",)])
        self.assertEqual(len(listing), 2)
