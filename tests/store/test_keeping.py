"""Tests for mailtwist.store.maildir.keeping: deleted mail that is kept for a while."""

import os
import time

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailtwist.config.deleting import Deleted
from mailtwist.config.model import Config
from mailtwist.config.reading import Imap4
from mailtwist.errors import NoSuchMailbox, StorageFull
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Range
from mailtwist.store.local import LocalStore

from .contract import StoreWords
from .on_disk import OnDisk

ONE = b"Subject: one\r\n\r\nfirst\r\n"
TWO = b"Subject: two\r\n\r\nsecond one\r\n"
THERE = ("There", "below")


class KeptMail(OnDisk, StoreWords):
    keep_s = 1000.0
    mailbox = ""

    def another_store(self, poll_s=1.0):
        config = Config(imap4=Imap4(poll_s=poll_s), deleted=Deleted(keep_s=self.keep_s))
        store = LocalStore(reactor=reactor, config=config, hostname="mx.test")
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        return store

    def account_of(self, name, limit=None, messages=None):
        return evolve(super().account_of(name, limit, messages), mailbox=self.mailbox)

    @property
    def kept(self):
        return self.mailboxes(evolve(self.account, deleted=True))

    async def held(self, tree):
        """{path: [(octets, flags, date)]}, but for mailboxes with nothing."""
        found = {}
        for info in await tree.listed():
            if not info.selectable:
                continue
            box = await tree.open(info.path)
            rows = await box.rows()
            octets = await box.octets([Range(uid) for uid in rows.uids])
            columns = octets, map(set, rows.flags), rows.internal_dates
            if rows.uids:
                found[info.path] = list(zip(*columns, strict=True))
            await box.close()
        return found


class KeepingTests(KeptMail, TestCase):
    async def prepare(self):
        await self.put(octets=ONE, flags=frozenset({"\\Seen", "work"}), date=1000)
        await self.put(octets=TWO, date=2000)
        await self.tree.create(THERE)
        await self.put(THERE, TWO, flags=frozenset({"other"}), date=3000)

    async def test_what_is_expunged_is_kept_as_it_was(self):
        await self.prepare()
        inbox = await self.tree.open(INBOX)
        change = FlagChange(FlagAction.ADD, frozenset({"\\Deleted"}))
        await inbox.store_flags([1], change)
        await inbox.expunge()
        self.assertEqual((await inbox.rows()).uids, [2])
        self.assertEqual(
            await self.held(self.kept), {INBOX: [(ONE, {"\\Seen", "work"}, 1000)]}
        )
        await inbox.expunge([2])
        found = await self.held(self.kept)
        self.assertEqual(found[INBOX][1], (TWO, set(), 2000))
        await inbox.close()

    async def test_a_deleted_mailbox_is_kept_under_its_name(self):
        await self.prepare()
        await self.tree.delete(THERE)
        self.assertEqual(await self.held(self.kept), {THERE: [(TWO, {"other"}, 3000)]})
        await self.faulty(NoSuchMailbox, self.tree.open(THERE))

    async def test_moving_and_expunging_what_is_kept_keeps_nothing(self):
        await self.prepare()
        inbox = await self.tree.open(INBOX)
        await inbox.move([1], THERE)
        self.assertEqual(await self.held(self.kept), {})
        await inbox.expunge([2])
        kept = await self.kept.open(INBOX)
        await kept.expunge((await kept.rows()).uids)
        await kept.close()
        await inbox.close()
        self.assertEqual(await self.held(self.kept), {})

    async def test_what_was_kept_long_enough_goes(self):
        await self.prepare()
        await self.tree.delete(THERE)
        inbox = await self.tree.open(INBOX)
        await inbox.expunge([1])
        now = time.time()
        self.patch(time, "time", lambda: now + 2000)
        await inbox.expunge([2])
        keeping = self.tree.keeping
        self.assertEqual(await keeping.purge(1), 1)
        self.assertEqual(await keeping.purge(), 1)
        self.assertEqual(await self.held(self.kept), {INBOX: [(TWO, set(), 2000)]})
        names = [info.path for info in await self.kept.listed() if info.selectable]
        self.assertNotIn(THERE, names)
        await inbox.close()

    async def test_it_counts_towards_no_limit(self):
        self.limited(1000)
        await self.put(octets=ONE + b"x" * 800)
        inbox = await self.tree.open(INBOX)
        await inbox.expunge([1])
        await inbox.close()
        await self.put(octets=ONE + b"x" * 800)
        usage = await self.tree.usage()
        self.assertEqual(usage.messages, 1)

    async def test_on_a_full_disk_users_can_make_room(self):
        await self.prepare()
        inbox = await self.tree.open(INBOX)

        async def full(*arguments):
            raise StorageFull()

        self.patch(self.tree.keeping, "_place", full)
        await inbox.expunge([1])
        self.assertEqual((await inbox.rows()).uids, [2])
        self.assertEqual(await self.held(self.kept), {})
        await inbox.close()

    async def test_both_agree_with_themselves(self):
        await self.prepare()
        inbox = await self.tree.open(INBOX)
        await inbox.expunge([1, 2])
        await inbox.close()
        for tree in (self.tree, self.kept):
            self.assertEqual((await tree.check()).findings, [])


class MboxKeepingTests(KeepingTests):
    mailbox = "mbox"


class NothingKeptTests(KeptMail, TestCase):
    keep_s = 0.0

    async def test_what_is_expunged_is_gone(self):
        await self.put(octets=ONE)
        inbox = await self.tree.open(INBOX)
        await inbox.expunge([1])
        await inbox.close()
        self.assertFalse(os.path.exists(os.path.join(self.home(self.name), "deleted")))
