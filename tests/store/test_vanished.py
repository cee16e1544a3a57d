"""What went is remembered for a while, and honestly: QRESYNC depends on it."""

from twisted.trial.unittest import TestCase

from mailtwist.mailbox.model import INBOX
from mailtwist.store import state

from .contract import StoreWords
from .on_disk import OnDisk

KEPT = 3


class VanishedTests(OnDisk, StoreWords, TestCase):
    def setUp(self):
        super().setUp()
        self.patch(state, "MOST_VANISHED", KEPT)
        self.patch(state, "COUNT_EVERY", 1)

    async def expunged(self, count):
        """So many messages come and go; the MODSEQ before each of them went."""
        mailbox = await self.open()
        uids = [await self.put() for _ in range(count)]
        before = []
        for uid in uids:
            before.append((await mailbox.status()).highest_modseq)
            await mailbox.expunge([uid])
        return uids, before

    async def test_old_ones_are_forgotten_and_that_is_said(self):
        uids, before = await self.expunged(KEPT + 3)
        await self.restart()
        mailbox = await self.open()
        for at, modseq in enumerate(before):
            changes = await mailbox.changes(modseq)
            kept = at >= len(uids) - KEPT
            self.assertEqual(changes.complete, kept, at)
            self.assertEqual(changes.vanished, uids[max(at, len(uids) - KEPT) :], at)

    async def test_what_this_process_saw_itself_it_tells_whatever_was_forgotten(self):
        uids, before = await self.expunged(KEPT + 3)
        changes = await (await self.open()).changes(before[0])
        self.assertEqual((changes.vanished, changes.complete), (uids, True))

    async def test_what_is_gone_in_one_go_is_forgotten_as_one(self):
        mailbox = await self.open()
        for _ in range(KEPT + 2):
            await self.put()
        before = (await mailbox.status()).highest_modseq
        await mailbox.expunge([1, 2, 3, 4])
        between = (await mailbox.status()).highest_modseq
        await mailbox.expunge([5])
        await self.restart()
        mailbox = await self.open()
        changes = await mailbox.changes(before)
        self.assertEqual((changes.vanished, changes.complete), ([5], False))
        changes = await mailbox.changes(between)
        self.assertEqual((changes.vanished, changes.complete), ([5], True))

    async def test_another_process_learns_of_those_forgotten_meanwhile(self):
        for _ in range(KEPT + 4):
            await self.put()
        other = await self.another_store().mailboxes(self.account).open(INBOX)
        since = (await other.status()).highest_modseq
        mailbox = await self.open()
        for uid in range(1, KEPT + 4):
            await mailbox.expunge([uid])
        self.assertEqual((await other.rows()).uids, list(range(1, KEPT + 5)))
        changes = await other.changes(since)
        self.assertEqual(changes.vanished, list(range(1, KEPT + 4)))
        self.assertEqual((await other.rows()).uids, [KEPT + 4])

    async def test_a_mailbox_made_anew_remembers_nothing_of_the_old(self):
        await self.tree.create(("There",))
        for _ in range(2):
            await self.put(("There",))
        mailbox = await self.open(("There",))
        await mailbox.expunge([1])
        await self.tree.delete(("There",))
        await self.tree.create(("There",))
        changes = await (await self.open(("There",))).changes(0)
        self.assertEqual((changes.vanished, changes.complete), ([], True))
