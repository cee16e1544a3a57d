"""Tests for mailtwist.directory.user_directory: memory, threads and other writers."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.directory import user_directory
from mailtwist.directory.user_directory import UserDbThread, UserDirectory
from mailtwist.directory.userdb import UserDb
from mailtwist.errors import AuthUnavailable
from mailtwist.interfaces import IDirectory
from tests.auth.rooms import added, configured

ANN = Address("ann", "example.test")
ROOT = Path(__file__).parent.parent.parent


class DirectoryTests(TestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.config = configured(self.folder)
        self.clock = Clock()
        self.thread = UserDbThread(reactor, self.config)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.thread.close()))
        self.directory = UserDirectory(self.clock, self.config, self.thread)
        self.asked = 0
        run = self.thread.run

        def counted(work):
            self.asked += 1
            return run(work)

        self.thread.run = counted

    def later(self):
        self.clock.advance(0.5)

    async def test_domains(self):
        self.assertTrue(verifyObject(IDirectory, self.directory))
        self.assertTrue(await self.directory.has_domain("example.test"))
        self.assertTrue(await self.directory.has_domain("b\u00fccher.test"))
        self.assertFalse(await self.directory.has_domain("other.test"))

    async def test_accounts(self):
        self.assertIsNone(await self.directory.account_for(ANN))
        self.assertIsNone(await self.directory.first_account())
        ann = added(self.config)
        self.later()
        for found in [
            await self.directory.account_for(ANN),
            await self.directory.account_for(Address("ANN", "example.test")),
            await self.directory.account("ann@example.test"),
            await self.directory.account("ann"),
            await self.directory.first_account(),
        ]:
            self.assertEqual(found, ann)
        for missing in [
            await self.directory.account_for(Address("ann", "other.test")),
            await self.directory.account_for(Address("ann")),
            await self.directory.account_for(Address("ann+tag", "example.test")),
            await self.directory.account(""),
            await self.directory.account("no address <"),
        ]:
            self.assertIsNone(missing)

    async def test_an_answer_is_asked_for_once(self):
        added(self.config)
        await self.thread.opened()
        for _ in range(3):  # what was written just now is looked at twice
            await self.directory.account_for(ANN)
        asked = self.asked
        for _ in range(100):
            await self.directory.account_for(ANN)
            await self.directory.account_for(Address("nobody", "example.test"))
        self.assertEqual(self.asked, asked + 1)

    async def test_a_known_answer_waits_for_nothing(self):
        added(self.config)
        await self.directory.account_for(ANN)
        with self.assertRaises(StopIteration):
            self.directory.account_for(ANN).send(None)

    async def test_what_another_process_writes_is_seen_within_half_a_second(self):
        self.assertIsNone(await self.directory.account_for(ANN))
        file = self.folder / "mailtwist.toml"
        file.write_text('[server]\ndata = "."\n[[domain]]\nname = "example.test"\n')
        command = [sys.executable, "-m", "mailtwist.cli", "-c", str(file), "user"]

        def run(*words):
            subprocess.run(
                [*command, *words],
                input=b"s3cret\n",
                check=True,
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
            )

        run("add", "ann@example.test", "--keep-secret")
        self.later()
        self.assertIsNotNone(await self.directory.account_for(ANN))
        self.assertTrue(self.directory.offers().keeps_secrets)
        run("set", "ann@example.test", "--disable")
        self.later()
        self.assertFalse((await self.directory.account_for(ANN)).enabled)
        run("remove", "ann@example.test")
        self.later()
        self.assertIsNone(await self.directory.account_for(ANN))
        self.assertFalse(self.directory.offers().keeps_secrets)

    async def test_writes_in_one_tick_of_the_file_clock_are_all_seen(self):
        ann = added(self.config)
        db = UserDb(self.config)
        self.addCleanup(db.close)
        for limit in range(20):
            db.change(evolve(ann, storage_limit_octets=limit))
            self.later()
            found = await self.directory.account_for(ANN)
            self.assertEqual(found.storage_limit_octets, limit)

    async def test_a_database_that_cannot_be_used_is_never_nobody(self):
        added(self.config)
        await self.directory.account_for(ANN)
        path = Path(self.thread.path)
        path.rename(path.with_name("away"))
        self.later()
        with self.assertRaises(AuthUnavailable):
            await self.directory.account_for(ANN)
        path.with_name("away").rename(path)
        self.later()
        self.assertIsNotNone(await self.directory.account_for(ANN))

    async def test_nothing_is_asked_once_it_is_closed(self):
        await self.directory.account_for(ANN)
        await self.thread.close()
        self.later()
        with self.assertRaises(AuthUnavailable):
            await self.directory.account_for(Address("bob", "example.test"))

    async def test_memory_is_bounded(self):
        self.patch(user_directory, "MOST_KNOWN", 10)
        for number in range(40):
            await self.directory.account_for(Address(f"user{number}", "example.test"))
        self.assertEqual(len(self.directory._known), 10)

    async def test_a_locked_file_does_not_hold_up_a_greeting(self):
        added(self.config, keep_secret=True)
        self.assertTrue(self.directory.offers().keeps_secrets)
        locked = sqlite3.connect(self.thread.path, isolation_level=None)
        self.addCleanup(locked.close)
        locked.execute("PRAGMA locking_mode=EXCLUSIVE")
        locked.execute("BEGIN EXCLUSIVE")
        locked.execute("UPDATE accounts SET secret = NULL")
        locked.execute("COMMIT")
        self.later()
        self.assertTrue(self.directory.offers().keeps_secrets, "as far as is known")
        locked.close()
        self.later()
        self.assertFalse(self.directory.offers().keeps_secrets)

    async def test_a_path_with_signs_of_URIs(self):
        folder = self.folder / "a?b#c%41"
        config = configured(folder)
        added(config, keep_secret=True)
        thread = UserDbThread(reactor, config)
        self.addCleanup(lambda: Deferred.fromCoroutine(thread.close()))
        self.assertTrue(
            UserDirectory(self.clock, config, thread).offers().keeps_secrets
        )
