"""STATUS of many mailboxes keeps few of them in memory, and stays right."""

import os

from twisted.trial.unittest import TestCase

from mailtwist.flags import SEEN
from mailtwist.mailbox.model import FlagAction, FlagChange
from mailtwist.store.maildir import rested

from .contract import MESSAGE, StoreWords
from .on_disk import OnDisk

NAMES = [(f"{number}",) for number in range(12)]


class RestedTests(OnDisk, StoreWords, TestCase):
    def setUp(self):
        super().setUp()
        self.patch(rested, "MOST_LOADED", 3)
        self.patch(rested, "MOST_RESTED", 8)

    async def filled(self):
        for path in NAMES:
            await self.tree.create(path)
            await self.put(path)
        long_ago = 1_000_000_000
        for path in NAMES:
            for part in ("new", "cur"):
                os.utime(self.maildir(f".{path[0]}", part), (long_ago, long_ago))
        return await self.told()

    async def told(self):
        return [await self.tree.status(path) for path in NAMES]

    async def test_few_stay_loaded_and_figures_are_the_same(self):
        told = await self.filled()
        self.assertEqual([one.messages for one in told], [1] * 12)
        self.assertLessEqual(len(self.tree.files.live), 4)
        self.assertEqual(await self.told(), told)
        self.assertLessEqual(len(self.tree.files.live), 4)

    async def test_those_that_are_open_stay(self):
        await self.filled()
        mailbox = await self.open(NAMES[0])
        await self.told()
        await mailbox.store_flags([1], FlagChange(FlagAction.ADD, frozenset({SEEN})))
        self.assertEqual((await self.tree.status(NAMES[0])).unseen, 0)

    async def test_figures_are_kept_while_nothing_happens(self):
        await self.filled()
        await self.told()
        loaded = set(self.tree.files.live)
        resting = next(path for path in reversed(NAMES) if path not in loaded)
        status = await self.tree.status(resting)
        self.patch(self.tree.files, "opened", None)
        self.assertEqual(await self.tree.status(resting), status)

    async def test_whatever_happens_to_one_is_seen(self):
        async def flagged(path):
            mailbox = await self.tree.open(path)
            change = FlagChange(FlagAction.ADD, frozenset({SEEN}))
            await mailbox.store_flags([1], change)
            await mailbox.close()

        async def delivered(path):
            self.write(MESSAGE, f".{path[0]}", "new", "1.M1P1.other")

        async def made_anew(path):
            await self.tree.delete(path)
            await self.tree.create(path)

        async def renamed(path):
            await self.tree.rename(path, ("away",))
            await self.tree.rename(NAMES[11], path)
            await self.tree.rename(("away",), NAMES[11])

        await self.filled()
        for change, figures in (
            (flagged, (1, 0)),
            (delivered, (2, 1)),
            (made_anew, (0, 0)),
            (renamed, (1, 1)),
        ):
            path = NAMES[5]
            await self.told()
            before = await self.tree.status(path)
            await self.told()
            await change(path)
            after = await self.tree.status(path)
            self.assertNotEqual(after, before, change.__name__)
            self.assertEqual((after.messages, after.unseen), figures, change.__name__)
