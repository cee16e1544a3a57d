"""Tests for mailtwist.store.maildir.indexing: the text index of a Maildir."""

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.config.model import Config
from mailtwist.config.searching import Search
from mailtwist.errors import SystemBusy
from mailtwist.mailbox import search_index
from mailtwist.mailbox.model import TextPlace
from mailtwist.mailbox.search import search
from mailtwist.search_key import Body
from mailtwist.store.maildir import indexing
from mailtwist.store.maildir.store import MaildirStore

from .contract import StoreWords
from .on_disk import OnDisk


async def no_pause():
    return None


def text(words):
    return f"Subject: x\r\n\r\n{words}\r\n".encode()


class World(OnDisk, StoreWords):
    how = Search(index="manual")

    def another_store(self, poll_s=1.0):
        store = MaildirStore(
            reactor=reactor, config=Config(search=self.how), hostname="mx.test"
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        return store

    def index(self, **how):
        return self.tree.index_text(**how)

    async def covered(self, mailbox=None):
        mailbox = mailbox or await self.open()
        hits = await mailbox.text_hits("zzz", TextPlace.BODY)
        return None if hits is None else hits.covered

    async def found(self, words, mailbox=None):
        """What may have it, and what a search finds."""
        mailbox = mailbox or await self.open()
        hits = await mailbox.text_hits(words, TextPlace.BODY)
        uids = (await mailbox.rows()).uids
        found = await search(mailbox, Body(words), uids, recent=(), pause=no_pause)
        return None if hits is None else hits.uids, found


class AskedForTests(World, TestCase):
    async def test_all_mailboxes_of_an_account(self):
        await self.put(octets=text("apple"))
        await self.tree.create(("Lists",))
        inbox = await self.open()
        await inbox.copy([1], ("Lists",))
        await self.put(octets=text("pear"))
        done = await self.index()
        self.assertEqual((done.mailboxes, done.messages, done.added), (2, 3, 3))
        self.assertGreater(done.octets, 1000)
        self.assertEqual(await self.found("apple"), ([1], [1]))
        self.assertEqual((await self.index()).added, 0, "nothing is done twice")

    async def test_what_came_and_went(self):
        for words in ("apple", "pear", "apple"):
            await self.put(octets=text(words))
        await self.index()
        mailbox = await self.open()
        await mailbox.expunge([1])
        await self.put(octets=text("apple pie"))
        self.assertEqual(await self.found("apple", mailbox), ([1, 3], [3, 4]))
        done = await self.index()
        self.assertEqual((done.added, done.messages), (1, 3))
        self.assertEqual(await self.covered(mailbox), [2, 4])

    async def test_a_mailbox_that_was_deleted(self):
        await self.tree.create(("Lists",))
        await self.put(octets=text("apple"))
        await (await self.open()).copy([1], ("Lists",))
        await self.index()
        await self.tree.delete(("Lists",))
        self.assertEqual((await self.index()).messages, 1)

    async def test_a_new_one_of_the_same_name_has_nothing(self):
        await self.tree.create(("Lists",))
        await self.put(octets=text("apple"))
        await (await self.open()).copy([1], ("Lists",))
        await self.index()
        await self.tree.delete(("Lists",))
        await self.tree.create(("Lists",))
        self.assertEqual(await self.covered(await self.open(("Lists",))), [])

    async def test_a_renamed_one_keeps_its_own(self):
        await self.tree.create(("Lists",))
        await self.put(octets=text("apple"))
        await (await self.open()).copy([1], ("Lists",))
        await self.index()
        await self.tree.rename(("Lists",), ("Others",))
        self.assertEqual(await self.covered(await self.open(("Others",))), [1, 1])

    async def test_anew(self):
        await self.put(octets=text("apple"))
        await self.index()
        self.assertEqual((await self.index(anew=True)).added, 1)

    async def test_damage_is_found_and_mended(self):
        await self.put(octets=text("apple"))
        await self.index()
        for how in ("deleted", "cut", "emptied", "garbage"):
            await self.restart(lambda how=how: self.damage("search.sqlite", how))
            self.assertEqual((await self.found("apple"))[1], [1], how)
            await self.index()
            self.assertEqual(await self.found("apple"), ([1], [1]), how)

    async def test_one_process_at_a_time_writes(self):
        await self.put(octets=text("apple"))
        lock = indexing.Lock(self.home(self.name))
        self.assertTrue(lock.taken)
        await self.faulty(SystemBusy, Deferred.fromCoroutine(self.index()))
        lock.release()
        self.assertEqual((await self.index()).messages, 1)

    async def test_another_process_sees_what_was_indexed(self):
        await self.put(octets=text("apple"))
        mailbox = await self.open()
        self.assertIsNone(await self.covered(mailbox))
        other = self.another_store()
        tree = other.mailboxes(self.account)
        await tree.index_text()
        self.assertEqual(await self.found("apple", mailbox), ([1], [1]))

    async def test_an_index_that_is_large_enough_takes_no_more(self):
        self.store.indexer._config = Search(index="manual", account_octets=1 << 20)
        self.patch(self.tree.files.text, "octets", lambda: 2 << 20)
        await self.put(octets=text("apple"))
        self.assertEqual((await self.index()).added, 0)
        self.assertEqual((await self.found("apple"))[1], [1])


class OffTests(World, TestCase):
    how = Search(index="off")

    async def test_an_index_is_not_asked(self):
        await self.put(octets=text("apple"))
        await self.index()
        self.assertEqual(await self.found("apple"), (None, [1]))


class TurnTests(SynchronousTestCase):
    """When a mailbox has its turn: its account is asked for then."""

    def setUp(self):
        self.clock, self.turns = Clock(), []
        self.indexer = indexing.Indexer(self.clock, Search(), self.account)

    def account(self, home):
        """Nobody uses it any more."""
        self.turns.append((round(self.clock.seconds(), 3), home))

    def change(self, home="/a", times=1, every_s=0.0):
        for _ in range(times):
            self.indexer.changed(home, ("INBOX",))
            self.clock.advance(every_s)

    def test_many_changes_in_a_row_are_one_turn_when_they_ended(self):
        self.change(times=48, every_s=0.125)
        self.assertEqual(self.turns, [])
        self.clock.pump([0.125] * 16)
        self.assertEqual(self.turns, [(47 * 0.125 + indexing.SOON_S, "/a")])
        self.assertFalse(self.indexer.busy)

    def test_changes_without_an_end_have_a_turn_all_the_same(self):
        self.change(times=560, every_s=0.125)
        first, second = (round(at) for at, _ in self.turns)
        self.assertEqual(first, indexing.LATE_S)
        self.assertEqual(second, 2 * indexing.LATE_S)

    def test_one_that_is_put_off_holds_up_no_other(self):
        self.change("/a")
        self.clock.advance(0.5)
        self.change("/b")
        self.clock.advance(0.25)
        self.change("/a")
        self.clock.pump([0.25] * 8)
        self.assertEqual(self.turns, [(1.5, "/b"), (1.75, "/a")])

    def test_nothing_begins_after_the_close(self):
        self.change()
        self.successResultOf(Deferred.fromCoroutine(self.indexer.close()))
        self.change()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BackgroundTests(World, TestCase):
    how = Search(share=100)

    def setUp(self):
        self.patch(indexing, "SOON_S", 0.01)
        self.patch(indexing, "OTHERS_S", 0.05)
        self.patch(search_index, "FEW", 0)
        return super().setUp()

    async def until_covered(self, mailbox, want):
        for _ in range(500):
            if not self.store.indexer.busy and await self.covered(mailbox) == want:
                return
            await deferLater(reactor, 0.01, lambda: None)
        self.fail(f"{await self.covered(mailbox)} and not {want}")

    async def test_it_follows_what_happens(self):
        for _ in range(3):
            await self.put(octets=text("apple"))
        mailbox = await self.open()
        await self.until_covered(mailbox, [1, 3])
        await mailbox.expunge([2])
        await self.put(octets=text("apple"))
        await self.until_covered(mailbox, [1, 1, 3, 4])
        self.assertEqual(await self.found("apple", mailbox), ([1, 3, 4], [1, 3, 4]))

    async def test_what_another_process_indexes_is_left_to_it_for_a_while(self):
        os.makedirs(self.home(self.name), exist_ok=True)
        lock = indexing.Lock(self.home(self.name))
        self.assertTrue(lock.taken)
        await self.put(octets=text("apple"))
        mailbox = await self.open()
        await deferLater(reactor, 0.1, lambda: None)
        self.assertIsNone(await self.covered(mailbox))
        lock.release()
        await self.until_covered(mailbox, [1, 1])

    async def test_a_mailbox_that_is_deleted_meanwhile_holds_up_nothing(self):
        await self.tree.create(("Lists",))
        await self.put(octets=text("apple"))
        await (await self.open()).copy([1], ("Lists",))
        await self.tree.delete(("Lists",))
        await self.until_covered(await self.open(), [1, 1])

    async def test_a_store_that_closes_leaves_the_rest_for_later(self):
        self.patch(indexing, "CHUNK", 1)
        for _ in range(20):
            await self.put(octets=text("apple"))
        mailbox = await self.open()
        while not await self.covered(mailbox):
            await deferLater(reactor, 0, lambda: None)
        await self.restart()
        mailbox = await self.open()
        await self.until_covered(mailbox, [1, 20])
