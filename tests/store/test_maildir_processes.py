"""Several processes on one account: each sees what others did, and loses nothing."""

import collections
import random

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailtwist.mailbox.model import INBOX, Range

from .contract import StoreWords, add, remove
from .on_disk import OnDisk

PROCESSES = 3
ACTIONS = 60
THERE = ("There",)


class ProcessTests(OnDisk, StoreWords, TestCase):
    timeout = 120

    async def test_all_at_once(self):
        await self.tree.create(THERE)
        trees = [self.tree] + [
            self.another_store().mailboxes(self.account) for _ in range(PROCESSES - 1)
        ]
        self.copies = collections.Counter()
        work = [self.process(tree, number) for number, tree in enumerate(trees)]
        await gatherResults(map(Deferred.fromCoroutine, work), consumeErrors=True)
        seen = [await self.seen(tree) for tree in trees]
        self.tree = self.another_store().mailboxes(self.account)
        fresh = await self.seen(self.tree)
        for other in seen:
            self.assertEqual(other, fresh)
        found = collections.Counter(
            octets for box in fresh.values() for octets, _ in box.values()
        )
        self.assertEqual(found, +self.copies)

    async def process(self, tree, number):
        """Random changes to messages of its own, among everybody's."""
        chance = random.Random(number)
        mine = {}
        mailbox = await tree.open(INBOX)
        for at in range(ACTIONS):
            action = chance.choice(["put", "put", "flags", "copy", "move", "expunge"])
            if action == "put" or not mine:
                octets = b"%d %d\r\n" % (number, at)
                upload = tree.upload()
                upload.write(octets)
                flags = frozenset({f"k{number}-{at % 5}"})
                done = await tree.append(INBOX, [(upload, flags, None)])
                mine[done.uids[0]] = octets
                self.copies[octets] += 1
                continue
            uid = chance.choice(sorted(mine))
            if action == "flags":
                flag = f"k{number}-{chance.randrange(8)}"
                stored = await mailbox.store_flags([uid], add(flag))
                self.assertIn(flag, stored.rows.flags[0])
                await mailbox.store_flags([uid], remove("\\Seen"))
            elif action == "expunge":
                gone = await mailbox.expunge([uid])
                self.assertEqual(gone.uids, [uid])
                self.copies[mine.pop(uid)] -= 1
            else:
                work = mailbox.copy if action == "copy" else mailbox.move
                done = await work([uid], THERE)
                self.assertEqual(done.source_uids, [uid])
                if action == "move":
                    del mine[uid]
                else:
                    self.copies[mine[uid]] += 1
        await mailbox.close()

    async def seen(self, tree):
        found = {}
        for path in (INBOX, THERE):
            mailbox = await tree.open(path)
            await mailbox.status()
            rows = await mailbox.rows()
            octets = await mailbox.octets([Range(uid) for uid in rows.uids])
            both = zip(octets, rows.flags, strict=True)
            found[path] = dict(zip(rows.uids, both, strict=True))
            await mailbox.close()
        return found
