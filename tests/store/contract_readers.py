"""What readers other than the owner have seen."""

from mailtwist.errors import NoSuchMailbox
from mailtwist.flags import SEEN

BOX, BOB, CAROL = ("Box",), "bob@example.test", "carol@example.test"


class ReadersContract:
    async def box(self, messages=3):
        await self.tree.create(BOX)
        for _ in range(messages):
            await self.put(BOX)
        return await self.open(BOX)

    async def test_each_reader_has_a_mark_of_its_own(self):
        mailbox = await self.box()
        self.assertEqual(await mailbox.seen_by(BOB), [])
        await mailbox.see(BOB, [1, 2, 3], True)
        await mailbox.see(CAROL, [2], True)
        await mailbox.see(BOB, [1], False)
        self.assertEqual(await mailbox.seen_by(BOB), [2, 3])
        self.assertEqual(await mailbox.seen_by(CAROL), [2])
        self.assertEqual((await mailbox.rows()).flags, [frozenset()] * 3)
        self.assertEqual((await mailbox.status()).unseen, 3, "the owner's")
        await mailbox.see(BOB, [2, 3], False)
        self.assertEqual(await mailbox.seen_by(BOB), [])

    async def test_a_change_has_a_modseq_and_is_told(self):
        mailbox = await self.box()
        told = []
        mailbox.watch(told.append)
        before = (await mailbox.status()).highest_modseq
        done = await mailbox.see(BOB, [2, 9], True)
        self.assertEqual((done.rows.uids, done.modified), ([2], []))
        self.assertGreater(done.highest_modseq, before)
        self.assertEqual((await mailbox.changes(before)).rows.uids, [2])
        await self.until(lambda: told, "the change")
        again = await mailbox.see(BOB, [2], True)
        self.assertEqual(again.highest_modseq, done.highest_modseq, "nothing new")
        self.assertEqual(again.rows.uids, [2])

    async def test_a_message_that_changed_is_left_alone(self):
        mailbox = await self.box()
        since = (await mailbox.status()).highest_modseq
        await mailbox.see(CAROL, [2], True)
        done = await mailbox.see(BOB, [1, 2, 3], True, unchanged_since=since)
        self.assertEqual((done.rows.uids, done.modified), ([1, 3], [2]))
        self.assertEqual(await mailbox.seen_by(BOB), [1, 3])

    async def test_what_is_gone_is_not_seen(self):
        mailbox = await self.box()
        await mailbox.see(BOB, [1, 2], True)
        await mailbox.expunge([1])
        self.assertEqual(await mailbox.seen_by(BOB), [2])
        await mailbox.see(BOB, [3], True)
        self.assertEqual(await mailbox.seen_by(BOB), [2, 3])

    async def test_marks_go_with_their_mailbox(self):
        mailbox = await self.box()
        await mailbox.see(BOB, [1], True)
        await self.tree.rename(BOX, ("Case",))
        self.assertEqual(await (await self.open(("Case",))).seen_by(BOB), [1])
        await self.tree.delete(("Case",))
        await self.faulty(NoSuchMailbox, mailbox.see(BOB, [1], True))
        await self.faulty(NoSuchMailbox, mailbox.seen_by(BOB))
        await self.tree.create(BOX)
        await self.put(BOX, flags={SEEN})
        self.assertEqual(await (await self.open(BOX)).seen_by(BOB), [])

    async def test_a_mailbox_that_is_open_for_reading_notes_it_too(self):
        await self.box()
        mailbox = await self.open(BOX, read_only=True)
        await mailbox.see(BOB, [1], True)
        self.assertEqual(await mailbox.seen_by(BOB), [1])
