"""Databases that were lost: UIDs come back from the text beside the messages."""

import os
import sqlite3
from contextlib import closing
from types import SimpleNamespace

from twisted.trial.unittest import TestCase

from mailtwist.mailbox.model import INBOX, Column
from mailtwist.store import state
from mailtwist.store.cache import VERSION
from mailtwist.store.maildir import uidlist

from .contract import StoreWords, add
from .on_disk import OnDisk

DAMAGE = ("deleted", "cut", "garbage", "emptied")
LONG = ("x" * 300, "b")


class StateTests(OnDisk, StoreWords, TestCase):
    async def fill(self):
        """Some messages with UIDs 1, 3, 4 here and 1 in each folder."""
        await self.put(flags={"\\Seen", "$Junk", "work"}, date=1234567890)
        await self.put()
        await self.put(flags={"work"})
        await self.put(flags={"later"})
        await self.put()
        mailbox = await self.open()
        await mailbox.expunge([2, 5])
        for path in (("There",), LONG):
            await self.tree.create(path)
            await mailbox.copy([1], path)

    async def seen(self, path=INBOX):
        """What a client relies on to keep what it has."""
        mailbox = await self.open(path)
        rows = await mailbox.rows()
        return (
            mailbox.uid_validity,
            (await mailbox.status()).uid_next,
            rows.uids,
            rows.flags,
            rows.octets,
            rows.internal_dates,
            mailbox.object_id,
        )

    async def lost(self, how):
        await self.fill()
        paths = (INBOX, ("There",), LONG)
        before = [await self.seen(path) for path in paths]
        modseq = (await self.tree.status(INBOX)).highest_modseq
        await self.restart(lambda: self.damage("state.sqlite", how))
        self.assertEqual([await self.seen(path) for path in paths], before)
        self.assertEqual(await self.put(), 6, "not one that was expunged")
        self.assertGreater((await self.tree.status(INBOX)).highest_modseq, modseq)

    async def test_what_went_before_is_not_remembered_and_told_so(self):
        await self.fill()
        mailbox = await self.open()
        before = await mailbox.changes(1)
        self.assertTrue(before.complete)
        self.assertEqual(before.vanished, [2, 5])
        await self.restart(lambda: self.damage("state.sqlite", "deleted"))
        mailbox = await self.open()
        changes = await mailbox.changes(before.highest_modseq)
        self.assertFalse(changes.complete)
        self.assertTrue((await mailbox.changes(changes.highest_modseq)).complete)

    async def test_deleted(self):
        await self.lost("deleted")

    async def test_emptied(self):
        await self.lost("emptied")

    async def test_cut(self):
        await self.lost("cut")
        self.assertTrue(os.path.exists(self.maildir("../state.sqlite.damaged")))

    async def test_garbage(self):
        await self.lost("garbage")
        self.assertTrue(os.path.exists(self.maildir("../state.sqlite.damaged")))

    async def test_keywords_that_come_later_do_not_take_letters_that_are_in_use(self):
        await self.fill()
        await self.restart(lambda: self.damage("state.sqlite", "deleted"))
        mailbox = await self.open()
        await mailbox.store_flags([3], add("quite-new"))
        rows = await mailbox.rows()
        self.assertEqual(
            rows.flags,
            [{"\\Seen", "$Junk", "work"}, {"work", "quite-new"}, {"later"}],
        )

    async def test_without_the_uidlist_too_it_is_another_mailbox(self):
        await self.fill()
        validity = (await self.seen())[0]

        def lose():
            self.damage("state.sqlite", "deleted")
            os.unlink(self.maildir(uidlist.FILE))

        self.patch(state, "time", SimpleNamespace(time=lambda: 2_000_000_000))
        await self.restart(lose)
        found = await self.seen()
        self.assertNotEqual(found[0], validity)
        self.assertEqual(found[2], [1, 2, 3])

    async def test_a_uidlist_that_is_cut_short_gives_what_it_has(self):
        await self.fill()
        before = await self.seen()
        path = self.maildir(uidlist.FILE)
        with open(path, "rb") as file:
            octets = file.read()
        # In the middle of the line of UID 3 at its last mention.
        cut = octets.rindex(b"\n3 ") + 10

        def lose():
            self.damage("state.sqlite", "deleted")
            os.truncate(path, cut)

        await self.restart(lose)
        found = await self.seen()
        self.assertEqual(found[0], before[0])
        self.assertEqual(found[2][0], 1)
        self.assertEqual(len(found[2]), 3)
        self.assertGreater(found[2][1], 2, "a UID that was given is not given again")

    async def test_messages_that_came_meanwhile_have_new_UIDs(self):
        await self.fill()

        def lose():
            self.damage("state.sqlite", "deleted")
            self.write(b"Subject: x\n\nx\n", "new", "1700000000.M1P1.other")

        await self.restart(lose)
        self.assertEqual((await self.seen())[2], [1, 3, 4, 6])

    async def test_a_uidlist_that_is_overgrown_is_written_anew(self):
        self.patch(uidlist, "LEAST_OCTETS", 0)
        for _ in range(30):
            await self.put()
        await (await self.open()).expunge(range(1, 30))
        before = os.path.getsize(self.maildir(uidlist.FILE))
        await self.restart()
        await self.open()
        self.assertLess(os.path.getsize(self.maildir(uidlist.FILE)), before / 5)
        seen = await self.seen()
        await self.restart(lambda: self.damage("state.sqlite", "deleted"))
        self.assertEqual(await self.seen(), seen)
        self.assertEqual(seen[1], 31)


class CacheTests(OnDisk, StoreWords, TestCase):
    async def test_whatever_becomes_of_the_cache_nobody_sees_it(self):
        for number in range(20):
            await self.put(octets=b"Subject: %d\r\n\r\ntext\r\n" % number)
        columns = [one for one in Column if one is not Column.LAZY_PREVIEW]
        uids = list(range(1, 21))
        before = await (await self.open()).rendered(uids, columns)
        self.assertNotIn(None, before)
        for how in DAMAGE:
            await self.restart(lambda how=how: self.damage("cache.sqlite", how))
            mailbox = await self.open()
            for _ in range(2):
                self.assertEqual(await mailbox.rendered(uids, columns), before, how)

    async def test_a_cache_of_the_version_before_is_made_anew(self):
        await self.put(octets="Subject: \xfc\r\n\r\n".encode())
        columns = (Column.ENVELOPE, Column.SURROGATE)
        before = await (await self.open()).rendered([1], columns)

        def older():
            path = self.maildir("../cache.sqlite")
            with closing(sqlite3.connect(path)) as db:
                db.execute("DROP TABLE surrogates")
                db.execute(f"PRAGMA user_version={VERSION - 1}")
                db.commit()

        await self.restart(older)
        mailbox = await self.open()
        self.assertEqual(await mailbox.rendered([1], columns), before)

    async def test_a_cache_that_vanishes_while_it_is_open(self):
        await self.put()
        mailbox = await self.open()
        before = await mailbox.rendered([1], (Column.ENVELOPE,))
        for suffix in ("", "-wal", "-shm"):
            os.unlink(self.maildir(f"../cache.sqlite{suffix}"))
        self.assertEqual(await mailbox.rendered([1], (Column.ENVELOPE,)), before)
        await self.put()
        found = await mailbox.rendered([1, 2], (Column.ENVELOPE,))
        self.assertEqual(found, before * 2)
