"""Tests for mailtwist.store.maildir.check: everything that is kept of mail agrees."""

import os
import sqlite3

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailtwist.config.model import Config
from mailtwist.config.reading import Imap4
from mailtwist.errors import MailError
from mailtwist.mailbox.model import INBOX, Column, Range
from mailtwist.store.local import LocalStore
from mailtwist.store.maildir import uidlist
from mailtwist.store.maildir.ledger import Book, Change

from .contract import StoreWords
from .on_disk import OnDisk

ONE = b"Subject: one\r\n\r\nfirst\r\n"
TWO = b"Subject: two\r\n\r\nsecond one\r\n"
THERE = ("There",)


class CheckedAccount(OnDisk, StoreWords):
    async def prepare(self):
        """An account with messages that are cached and indexed."""
        await self.tree.create(THERE)
        await self.put(octets=ONE, flags=frozenset({"work"}))
        await self.put(octets=TWO)
        await self.put(THERE, TWO)
        for path in (INBOX, THERE):
            mailbox = await self.tree.open(path)
            await mailbox.rendered((await mailbox.rows()).uids, [Column.ENVELOPE])
            await mailbox.close()
        await self.tree.index_text()

    async def faults(self, **how):
        checked = await self.tree.check(**how)
        self.told = checked.mailboxes, checked.messages
        return [(one.what, one.count, one.repaired) for one in checked.findings]

    async def everything(self):
        found = {}
        for path in (INBOX, THERE):
            mailbox = await self.tree.open(path)
            rows = await mailbox.rows()
            octets = await mailbox.octets([Range(uid) for uid in rows.uids])
            found[path] = sorted(zip(octets, map(sorted, rows.flags), strict=True))
            await mailbox.close()
        return found

    def sql(self, name, *statements):
        with sqlite3.connect(os.path.join(self.home(self.name), name)) as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    async def mended(self, wanted, meanwhile):
        """A fault that `meanwhile` makes is found, then repaired; all mail stays."""
        await self.prepare()
        before = await self.everything()
        await self.restart(meanwhile)
        self.assertEqual(await self.faults(), [(*wanted, False)])
        self.assertEqual(await self.faults(repair=True), [(*wanted, True)])
        self.assertEqual(await self.faults(), [])
        self.assertEqual(self.told, (2, 3))
        self.assertEqual(await self.everything(), before)
        await self.restart()
        self.assertEqual(await self.faults(), [])

    def damage_page(self, name):
        """A page that nobody needs to open the file."""
        path = os.path.join(self.home(self.name), name)
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode=DELETE")
        size = db.execute("PRAGMA page_size").fetchone()[0]
        db.close()
        with open(path, "r+b") as file:
            file.seek(0, os.SEEK_END)
            file.seek(file.tell() - size)
            file.write(b"\xff" * size)


class CheckTests(CheckedAccount, TestCase):
    async def test_what_is_well_agrees(self):
        await self.prepare()
        self.assertEqual(await self.faults(), [])
        self.assertEqual(await self.faults(repair=True), [])
        checked = await self.tree.check(quick=True)
        self.assertEqual((checked.mailboxes, checked.messages), (2, 3))

    async def test_what_other_programs_do_is_no_fault(self):
        await self.prepare()
        self.write(ONE, "new", "1.x.y")
        self.write(ONE, "cur", "2.x.y:2,S")
        (gone, *_) = [n for n in os.listdir(self.maildir("cur")) if n[0] != "2"]
        os.unlink(self.maildir("cur", gone))
        self.assertEqual(await self.faults(), [])

    async def test_a_uidlist_that_is_cut(self):
        def cut():
            path = self.maildir(uidlist.FILE)
            with open(path, "rb") as file:
                lines = file.read().splitlines(keepends=True)
            with open(path, "wb") as file:
                file.writelines(lines[:-1])

        await self.mended(("lines of the uidlist are missing or wrong", 1), cut)

    async def test_a_uidlist_of_another_mailbox(self):
        def exchange():
            with open(self.maildir(".There", uidlist.FILE), "rb") as file:
                octets = file.read()
            self.write(octets, uidlist.FILE)

        await self.mended(("lines of the uidlist are missing or wrong", 2), exchange)

    async def test_a_next_uid_that_was_given(self):
        await self.mended(
            ("the next UID was given before", 1),
            lambda: self.sql(
                "state.sqlite", "UPDATE mailboxes SET uid_next = 2 WHERE id = 1"
            ),
        )

    async def test_a_modseq_that_goes_back(self):
        await self.mended(
            ("a message is newer than HIGHESTMODSEQ", 1),
            lambda: self.sql(
                "state.sqlite", "UPDATE mailboxes SET highest_modseq = 1 WHERE id = 1"
            ),
        )

    async def test_a_cached_column_of_another_message(self):
        await self.mended(
            ("cached columns are not the message's", 1),
            lambda: self.sql(
                "cache.sqlite",
                "UPDATE structure SET envelope = x'20' WHERE key IN"
                " (SELECT min(key) FROM structure)",
            ),
        )

    async def test_a_text_index_without_a_text(self):
        def forget():
            self.sql(
                "search.sqlite",
                "INSERT INTO bodies_1 (bodies_1) VALUES ('delete-all')",
            )

        await self.prepare()
        await self.restart(forget)
        what = "messages are not in the text index"
        self.assertEqual(
            await self.faults(repair=True), [(what, 2, True), (what, 1, True)]
        )
        await self.tree.index_text()
        self.assertEqual(await self.faults(), [])

    async def test_a_file_that_another_program_wrote_anew_gets_another_uid(self):
        await self.prepare()
        (name,) = [n for n in os.listdir(self.maildir("cur")) if n.endswith(":2,a")]

        def change():
            self.write(ONE + b"and more\r\n", "cur", name)

        await self.restart(change)
        what = "messages are not as clients know them"
        self.assertIn((what, 1, True), await self.faults(repair=True))
        self.assertEqual(await self.faults(), [])
        mailbox = await self.tree.open(INBOX)
        rows = await mailbox.rows()
        self.assertEqual(rows.uids, [2, 3])
        self.assertEqual(rows.flags[1], {"work"})
        self.assertEqual(await mailbox.octets([Range(3)]), [ONE + b"and more\r\n"])

    async def test_damaged_databases_that_can_be_made_anew(self):
        await self.prepare()
        before = await self.everything()
        for name in ("cache.sqlite", "search.sqlite"):
            await self.restart(lambda name=name: self.damage_page(name))
            self.assertEqual(
                await self.faults(repair=True), [(f"{name} is damaged", 1, True)]
            )
            self.assertEqual(await self.faults(), [])
            self.assertEqual(await self.everything(), before)
            self.assertTrue(os.path.exists(f"{self.home(self.name)}/{name}.damaged"))

    async def test_a_usage_that_is_wrong(self):
        await self.prepare()
        files = self.tree.files
        await self.tree.recount()
        with Book.open(files.counting.path) as book, book.changed() as page:
            page.change([Change("", 1000, 5)])
        wanted = "the counted usage is wrong", 1
        self.assertEqual(await self.faults(), [(*wanted, False)])
        self.assertEqual(await self.faults(repair=True), [(*wanted, True)])
        self.assertEqual(await self.faults(), [])

    async def test_a_damaged_state(self):
        await self.mended(
            ("state.sqlite is damaged", 1), lambda: self.damage_page("state.sqlite")
        )


class DamagedWhileOpenTests(CheckedAccount, TestCase):
    """Nobody asked for a check: what was damaged is found by who uses it."""

    async def test_a_state_that_is_damaged_while_it_is_open(self):
        await self.prepare()
        before = await self.everything()
        path = os.path.join(self.home(self.name), "state.sqlite")
        await self.tree.files.rest()
        self.damage_page("state.sqlite")
        for _ in range(3):  # one who asks meanwhile is told to come again
            try:
                after = await self.everything()
            except MailError:
                continue
            self.assertEqual(after, before)
            break
        else:
            self.fail("the mail stays unreadable")
        self.flushLoggedErrors()
        await self.tree.check(repair=True)
        self.assertEqual(await self.faults(), [])
        self.assertTrue(os.path.exists(f"{path}.damaged"))

    async def test_two_processes_set_a_state_aside_once(self):
        await self.prepare()
        other = self.another_store().mailboxes(self.account)
        await other.status(INBOX)
        files = self.tree.files
        await files.turn(files.salvage)
        uid = await self.put(octets=TWO)
        self.assertEqual((await other.status(THERE)).messages, 1)
        mailbox = await other.open(INBOX)
        self.assertEqual((await mailbox.rows()).uids, [1, 2, uid])
        await mailbox.close()
        self.assertEqual(await self.faults(), [])


class MboxCheckTests(CheckedAccount, TestCase):
    """Mailboxes that are mbox files."""

    def another_store(self, poll_s=1.0):
        config = Config(imap4=Imap4(poll_s=poll_s, special_uses=()))
        store = LocalStore(reactor=reactor, config=config, hostname="mx.test")
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        return store

    def account_of(self, name, limit=None, messages=None):
        return evolve(super().account_of(name, limit, messages), mailbox="mbox")

    async def test_what_is_well_agrees(self):
        await self.prepare()
        self.assertEqual(await self.faults(), [])
        self.assertEqual(self.told, (2, 3))
        await self.restart()
        self.assertEqual(await self.faults(repair=True), [])

    async def test_faults_are_mended(self):
        await self.mended(
            ("cached columns are not the message's", 1),
            lambda: self.sql(
                "cache.sqlite",
                "UPDATE structure SET envelope = x'20' WHERE key IN"
                " (SELECT min(key) FROM structure)",
            ),
        )

    async def test_a_damaged_state(self):
        await self.prepare()
        before = await self.everything()
        await self.restart(lambda: self.damage_page("state.sqlite"))
        wanted = [("state.sqlite is damaged", 1, True)]
        self.assertEqual(await self.faults(repair=True), wanted)
        self.assertEqual(await self.faults(), [])
        self.assertEqual(await self.everything(), before)
