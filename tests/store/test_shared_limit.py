"""Limits of domains whose accounts are reached through agents."""

import os
import signal

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.errors import MailboxUnreachable, OverQuota
from mailtwist.mailbox.model import INBOX
from mailtwist.store.maildir import domain_sum

from .contract import StoreWords
from .on_disk import OnDisk
from .test_agent_contract import OverSocket
from .test_domain_sum import limit_in, sum_of, told


class SharedLimitTests(OverSocket, OnDisk, StoreWords, TestCase):
    MOST = 7

    def setUp(self):
        super().setUp()
        os.makedirs(self.root, exist_ok=True)
        self.limit = limit_in(self.root, None, self.MOST)
        self.accounts = [
            evolve(self.account_of(f"{name}@example.test"), domain=self.limit)
            for name in ("ann", "bob")
        ]
        self.account = self.accounts[0]
        self.tree = self.mailboxes(self.account)

    async def send(self, *accounts, octets=b"x" * 100):
        to = tuple(LocalRecipient(Address.parse(a.name), a) for a in accounts)
        sink = self.store.delivery().begin(Envelope("m", "s", None, to))
        sink.write(octets)
        return await sink.commit()

    def sum(self):
        homes = [account.home for account in self.accounts]
        self.assertEqual(told(self.limit), sum_of(homes))
        return told(self.limit)[1]

    async def test_parallel_deliveries_fill_it_and_do_not_pass_it(self):
        outcomes = await gatherResults(
            [
                Deferred.fromCoroutine(self.send(self.accounts[at % 2]))
                for at in range(20)
            ]
        )
        verdicts = [verdict for (verdict,) in outcomes]
        self.assertEqual(verdicts.count(None), self.MOST)
        self.assertIsInstance(next(filter(None, verdicts)), OverQuota)
        self.assertEqual(self.sum(), self.MOST)

    async def test_recipients_of_one_message_have_each_a_fate(self):
        for _ in range(self.MOST - 1):
            await self.put()
        first, second = await self.send(*self.accounts, octets=b"y" * 200_000)
        self.assertEqual(
            sorted([first is None, second is None]), [False, True], (first, second)
        )
        self.assertEqual(self.sum(), self.MOST)

    async def test_whatever_changes_what_is_held_is_told(self):
        await self.tree.create(("Old",))
        await self.put()
        await self.send(*self.accounts)
        mailbox = await self.open()
        await mailbox.copy([1, 2], ("Old",))
        self.assertEqual(self.sum(), 5)
        await mailbox.move([1], ("Old",))
        self.assertEqual(self.sum(), 5)
        await mailbox.expunge([2])
        self.assertEqual(self.sum(), 4)
        await self.tree.delete(("Old",))
        self.assertEqual(self.sum(), 1)
        for _ in range(6):
            await self.put()
        self.assertIs(await self.tree.fits(INBOX, 1), False)
        await self.faulty(OverQuota, mailbox.copy((await mailbox.rows()).uids, INBOX))
        await self.faulty(OverQuota, self.put())
        self.assertEqual(self.sum(), self.MOST)

    async def test_an_agent_that_dies_leaves_nothing_in_flight(self):
        await self.put()
        mailbox = await self.open()
        asked = self.tree._ask

        async def dies(method, *arguments, **named):
            if method == "usage":
                raise MailboxUnreachable()
            return await asked(method, *arguments, **named)

        self.tree._ask = dies
        await mailbox.copy([1], INBOX)
        self.assertEqual(told(self.limit)[1], 1, "it could not be asked")
        self.tree._ask = asked
        await self.tree.usage()
        self.assertEqual(self.sum(), 2)
        for _ in range(self.MOST - 2):
            self.assertEqual(await self.send(self.accounts[1]), [None])

    async def test_what_another_process_has_in_flight_counts_until_it_ends(self):
        begun, listens = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            try:
                with domain_sum.opened(self.limit) as total:
                    total.fly(-1, (100, self.MOST), 1)
                os.write(begun[1], b".")
                os.close(listens[1])
                os.read(listens[0], 1)
            finally:
                os._exit(0)
        os.read(begun[0], 1)
        self.patch(domain_sum, "TRUSTED_S", -1.0)
        self.assertIsInstance((await self.send(self.account))[0], OverQuota)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for descriptor in (*begun, *listens):
            os.close(descriptor)
        self.assertEqual(await self.send(self.account), [None])
        self.assertEqual(self.sum(), 1)

    async def test_what_clients_are_sending_counts_at_RCPT(self):
        to = (LocalRecipient(Address.parse("bob@example.test"), self.accounts[1]),)
        sinks = [
            self.store.delivery().begin(Envelope("m", "s", None, to))
            for _ in range(self.MOST)
        ]
        self.assertIs(await self.tree.fits(INBOX, 1), False)
        for sink in sinks:
            sink.abort()
        self.assertIs(await self.tree.fits(INBOX, 1), True)

    async def test_fsck_compares_the_sum_with_what_accounts_hold(self):
        await self.send(*self.accounts)
        self.assertEqual((await self.tree.check()).findings, [])
        with domain_sum.opened(self.limit) as total:
            total.tell(self.account.home, -1, (7, 7))
        for repair in (False, True):
            (found,) = (await self.tree.check(repair=repair)).findings
            told_of = found.what, found.repaired
            self.assertEqual(told_of, (domain_sum.SUM_WRONG, repair))
        self.assertEqual(self.sum(), 2)
