"""Tests for mailtwist.service.purging: deleted mail goes when its time is over."""

import os
import time

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.deleting import Deleted
from mailtwist.directory.model import Account
from mailtwist.errors import MailboxUnreachable
from mailtwist.mailbox.model import INBOX
from mailtwist.service import purging
from mailtwist.service.purging import EVERY_S, FIRST_S, Keeps, Purging
from mailtwist.store.agent.store import AgentStore
from mailtwist.store.memory import MemoryStore
from tests.store.inline import InlineStore

KEEP_S = 1000.0
ONE = b"Subject: one\r\n\r\n"


class KeepsTests(SynchronousTestCase):
    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        self.keeps = Keeps(self.folder)

    def test_names_of_any_kind_come_back(self):
        names = ["..", "a/b@x", "#public", "ann@example.test", "ä", "a%2Eb", ".lock"]
        for name in names:
            self.keeps.note(Account(name, "/home"))
        self.assertEqual(Keeps(self.folder).names(), sorted(names))
        for name in names:
            self.keeps.forget(name)
        self.assertEqual(Keeps(self.folder).names(), [])

    def test_a_name_is_written_down_once(self):
        self.keeps.note(Account("ann", "/home"))
        self.patch(os, "open", lambda *arguments: 1 / 0)
        self.keeps.note(Account("ann", "/home"))

    def test_a_name_that_is_no_file_name_is_left_out(self):
        self.keeps.note(Account("a" * 300, "/home"))
        self.assertEqual(self.keeps.names(), [])

    def test_one_process_makes_the_round(self):
        self.keeps.note(Account("ann", "/home"))
        lock = self.keeps.alone()
        self.assertIsNone(Keeps(self.folder).alone())
        os.close(lock)
        lock = Keeps(self.folder).alone()
        self.assertIsNotNone(lock)
        os.close(lock)


class PurgingTests(SynchronousTestCase):
    def setUp(self):
        root = os.path.abspath(self.mktemp())
        self.keeps = Keeps(f"{root}/keeps")
        self.store = InlineStore(deleted=Deleted(keep_s=KEEP_S))
        self.store.keeps = self.keeps.note
        self.addCleanup(lambda: self.store.now(self.store.close()))
        self.accounts = {
            name: Account(name, f"{root}/{name}") for name in ("ann", "bob")
        }
        self.asked, self.clock = [], Clock()
        self.now = self.store.now

    async def account(self, name):
        self.asked.append(name)
        found = self.accounts[name]
        if isinstance(found, Exception):
            raise found
        return found

    def service(self):
        service = Purging(self.clock, self.keeps, self.store, self.account, KEEP_S)
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def deleted(self, name, count=1):
        tree = self.store.mailboxes(self.accounts[name])

        async def delete():
            for _ in range(count):
                upload = tree.upload()
                upload.write(ONE)
                await tree.append(INBOX, [(upload, frozenset(), 1)])
            inbox = await tree.open(INBOX)
            await inbox.expunge((await inbox.rows()).uids)
            await inbox.close()

        self.now(delete())

    def kept(self, name):
        tree = self.store.mailboxes(evolve(self.accounts[name], deleted=True))
        return self.now(tree.status(INBOX)).messages

    def later(self, seconds):
        now = time.time()
        self.patch(time, "time", lambda: now + seconds)

    def pass_time(self, seconds):
        until = self.clock.seconds() + seconds
        while self.clock.seconds() < until:
            self.clock.advance(0.5)
            self.store.clock.advance(0.5)

    def test_only_accounts_with_deleted_mail_are_asked(self):
        self.service()
        self.deleted("ann")
        self.pass_time(FIRST_S + 1)
        self.assertEqual(self.asked, ["ann"])
        self.assertEqual(self.kept("ann"), 1)

    def test_what_was_kept_long_enough_goes_though_nobody_deletes(self):
        self.service()
        self.deleted("ann", 3)
        self.later(KEEP_S + 10)
        self.pass_time(FIRST_S + 2)
        self.assertEqual(self.kept("ann"), 0)
        self.assertEqual(self.keeps.names(), [])
        self.pass_time(min(EVERY_S, KEEP_S / 4) + 2)
        self.assertEqual(self.asked, ["ann"], "there was nothing left")

    def test_the_next_round_comes(self):
        self.service()
        self.deleted("ann")
        self.pass_time(FIRST_S + 1)
        self.later(KEEP_S + 10)
        self.pass_time(KEEP_S / 4 + 1)
        self.assertEqual(self.kept("ann"), 0)

    def test_more_than_a_batch_goes_in_one_round(self):
        self.patch(purging, "MOST", 2)
        self.service()
        self.deleted("ann", 5)
        self.later(KEEP_S + 10)
        self.pass_time(FIRST_S + 5)
        self.assertEqual(self.kept("ann"), 0)

    def test_who_cannot_be_asked_is_asked_again(self):
        self.service()
        self.deleted("ann")
        self.deleted("bob")
        real, self.accounts["ann"] = self.accounts["ann"], MailboxUnreachable()
        self.later(KEEP_S + 10)
        self.pass_time(FIRST_S + 2)
        self.assertEqual((self.keeps.names(), self.kept("bob")), (["ann"], 0))
        self.accounts["ann"] = real
        self.pass_time(KEEP_S / 4 + 2)
        self.assertEqual(self.kept("ann"), 0)

    def test_an_account_that_is_gone_is_forgotten(self):
        self.deleted("ann")
        self.accounts["ann"] = None
        self.service()
        self.pass_time(FIRST_S + 2)
        self.assertEqual(self.keeps.names(), [])

    def test_stopping_stops_it(self):
        service = self.service()
        self.deleted("ann")
        service.stopService()
        self.pass_time(FIRST_S + 2)
        self.assertEqual((self.asked, self.clock.getDelayedCalls()), ([], []))


class AgentsTests(SynchronousTestCase):
    """Where an agent keeps what is deleted, the server is told."""

    def test_an_agent_that_is_asked_to_delete_is_noted(self):
        told = []

        class Agents:
            def connection(self, account):
                return self

            def call(self, *arguments, **named):
                return succeed(None)

        store = AgentStore(MemoryStore(), Agents(), lambda: 0)
        store.keeps = told.append
        account = Account("ann", "/home/ann", uid=7001)
        tree = store.mailboxes(account)
        self.successResultOf(Deferred.fromCoroutine(tree.delete(("Old",))))
        self.assertEqual(told, [account])
