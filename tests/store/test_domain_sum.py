"""What the accounts of a domain hold together: the sum of all files, never too many."""

import contextlib
import os
import random
import shutil
import tempfile

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account, DomainLimit
from mailtwist.errors import MailError, OverQuota
from mailtwist.flags import NONE
from mailtwist.mailbox.model import INBOX
from mailtwist.store.maildir import domain_sum, ledger
from mailtwist.store.maildir.domain_sum import SUM_WRONG

from .contract import StoreWords
from .inline import InlineStore
from .on_disk import OnDisk
from .test_maildir_quota import held

NAMES = ("ann", "bob", "cat")
OCTETS, MESSAGES = 6000, 9
LETTER = 197  # octets of 100 with what delivery puts in front


def limit_in(folder, octets=OCTETS, messages=MESSAGES):
    file = os.path.join(folder, "domains", "example.test")
    return DomainLimit("example.test", file, octets, messages)


def told(limit):
    """(octets, messages) of the sum, as the file has it."""
    with domain_sum.opened(limit) as total:
        return total.held


def sum_of(homes):
    each = [held(os.path.join(home, "Maildir")) for home in homes]
    return sum(one[0] for one in each), sum(one[1] for one in each)


class Accounts:
    """Those of a domain in a folder, and what happens to them; `turns` of two stores,
    as of two processes."""

    def __init__(self, folder, limit, names=NAMES):
        os.makedirs(folder, exist_ok=True)
        self.limit = limit
        self.stores = [InlineStore(), InlineStore()]
        self.accounts = [
            Account(f"{name}@example.test", f"{folder}/{name}", domain=limit)
            for name in names
        ]
        self.at = 0

    def tree(self, who):
        self.at += 1
        self.store = self.stores[self.at % 2]
        return self.store.mailboxes(self.accounts[who % len(self.accounts)])

    def do(self, name, who, *arguments):
        """True if it was done; a fault changes nothing."""
        tree = self.tree(who)
        with contextlib.suppress(MailError):
            self.store.now(getattr(self, name)(tree, *arguments))
            return True
        return False

    async def deliver(self, tree, octets, count=1):
        account = tree.files.account
        to = LocalRecipient(Address.parse(account.name), account)
        sink = self.store.delivery().begin(Envelope("m", "s", None, (to,) * count))
        sink.write(b"x" * octets)
        for verdict in await sink.commit():
            if verdict is not None:
                raise verdict

    async def append(self, tree, octets):
        upload = tree.upload()
        upload.write(b"x" * octets)
        await tree.append(INBOX, [(upload, NONE, None)])

    async def copy(self, tree, count):
        mailbox = await tree.open(INBOX)
        await mailbox.copy((await mailbox.rows()).uids[:count], INBOX)

    async def expunge(self, tree, count):
        mailbox = await tree.open(INBOX)
        await mailbox.expunge((await mailbox.rows()).uids[-count:])

    async def rename(self, tree):
        """INBOX's messages into a mailbox; that goes the next time."""
        try:
            await tree.rename(INBOX, ("Old",))
        except MailError:
            await tree.delete(("Old",))

    async def foreign(self, tree, octets):
        """Another program delivers, and we look."""
        folder = (await tree.open(INBOX))._live.folder
        with open(f"{folder}/new/{os.urandom(8).hex()}", "wb") as file:
            file.write(b"z" * octets)
        await tree.open(INBOX)

    async def forget(self, tree):
        """The figures of the account are gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(tree.files.counting.path)
        await tree.usage()

    async def forget_all(self, tree):
        """The file with the sum is."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.limit.file)
        for account in self.accounts:
            await self.store.mailboxes(account).usage()

    def close(self):
        for store in self.stores:
            store.now(store.close())


WHO, SIZE = st.integers(0, len(NAMES) - 1), st.integers(0, 2500)
STEPS = st.one_of(
    st.tuples(st.just("deliver"), WHO, SIZE, st.integers(1, 4)),
    st.tuples(st.just("append"), WHO, SIZE),
    st.tuples(st.just("copy"), WHO, st.integers(1, 3)),
    st.tuples(st.just("expunge"), WHO, st.integers(1, 3)),
    st.tuples(st.just("rename"), WHO),
    st.tuples(st.just("foreign"), WHO, SIZE),
    st.tuples(st.just("forget"), WHO),
    st.tuples(st.just("forget_all"), WHO),
)


class PropertyTests(SynchronousTestCase):
    @settings(max_examples=30, deadline=None)
    @given(steps=st.lists(STEPS, max_size=25))
    def test_the_sum_is_that_of_the_files_and_within_the_limit(self, steps):
        folder = tempfile.mkdtemp(dir=os.getcwd())
        limit = limit_in(folder)
        accounts = Accounts(folder, limit)
        homes = [account.home for account in accounts.accounts]
        try:
            for account in accounts.accounts:
                accounts.stores[0].now(accounts.stores[0].mailboxes(account).usage())
            before = (0, 0)
            for name, *arguments in steps:
                accounts.do(name, *arguments)
                there = sum_of(homes)
                self.assertEqual(told(limit), there, name)
                if name != "foreign":
                    for now, was, most in zip(
                        there, before, (OCTETS, MESSAGES), strict=True
                    ):
                        self.assertLessEqual(now, max(was, most), name)
                before = there
            accounts.close()
        finally:
            shutil.rmtree(folder)


class InlineCase(SynchronousTestCase):
    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        self.limit = limit_in(self.folder, None, 4)
        self.accounts = Accounts(self.folder, self.limit)
        self.addCleanup(self.accounts.close)

    def deliver(self, who):
        return self.accounts.do("deliver", who, 100)


class FullTests(InlineCase):
    def test_what_one_account_holds_is_not_left_for_another(self):
        self.assertEqual(
            [self.deliver(at) for at in (0, 0, 1, 2, 1, 0)], [True] * 4 + [False] * 2
        )
        tree = self.accounts.tree(2)
        self.assertIs(self.accounts.store.now(tree.fits(INBOX, 1)), False, "at RCPT")
        self.assertFalse(self.accounts.do("append", 1, 10))
        self.assertFalse(self.accounts.do("copy", 0, 1))
        self.assertTrue(self.accounts.do("rename", 0), "what only moves may")
        self.assertTrue(self.accounts.do("expunge", 1, 1))
        self.assertTrue(self.accounts.do("append", 2, 10))

    def test_the_account_shows_a_root_for_its_domain_behind_its_own(self):
        self.deliver(0)
        self.deliver(1)
        account = evolve(self.accounts.accounts[0], message_limit=3)
        store = self.accounts.stores[0]
        tree = store.mailboxes(account)
        own, shared = store.now(tree.quotas(INBOX))
        self.assertEqual((own.domain, own.messages, own.limits.messages), ("", 1, 3))
        self.assertEqual((shared.domain, shared.root), ("example.test", ()))
        self.assertEqual((shared.octets, shared.messages), (2 * LETTER, 2))
        self.assertEqual(shared.limits.messages, 4)

    def test_what_clients_are_sending_to_others_counts_at_RCPT(self):
        store = self.accounts.stores[0]
        ann, bob, _ = self.accounts.accounts
        tree = store.mailboxes(ann)
        to = LocalRecipient(Address.parse(bob.name), bob)
        sinks = [
            store.delivery().begin(Envelope("m", "s", None, (to,))) for _ in range(4)
        ]
        self.assertIs(store.now(tree.fits(INBOX, 1)), False)
        sinks.pop().abort()
        self.assertIs(store.now(tree.fits(INBOX, 1)), True)
        for sink in sinks:
            sink.abort()

    def test_only_the_account_itself_is_looked_at(self):
        """Others might be a hundred thousand."""
        for who in (0, 1):
            self.deliver(who)
        domain_sum.settle(self.limit)
        shutil.rmtree(self.accounts.accounts[1].home)
        self.deliver(0)
        self.assertEqual(told(self.limit)[1], 3, "the sum is kept, not made")

    def test_an_account_that_is_gone_leaves_its_room_when_it_is_needed(self):
        for who in (0, 1, 1, 1):
            self.assertTrue(self.deliver(who))
        shutil.rmtree(self.accounts.accounts[1].home)
        self.patch(domain_sum, "TRUSTED_S", -1.0)
        self.assertTrue(self.deliver(0))
        self.assertEqual(told(self.limit), (2 * LETTER, 2))

    def test_a_recount_leaves_out_who_is_gone(self):
        for who in (0, 1, 1):
            self.assertTrue(self.deliver(who))
        shutil.rmtree(self.accounts.accounts[1].home)
        tree = self.accounts.tree(0)
        self.accounts.store.now(tree.recount())
        self.assertEqual(told(self.limit), (LETTER, 1))

    def test_accounts_with_long_names_of_folders_are_summed_too(self):
        deep = self.folder
        while len(deep) < 455:
            deep = os.path.join(deep, "d" * min(200, 456 - len(deep)))
        accounts = Accounts(deep, self.limit)
        self.addCleanup(accounts.close)
        outcomes = [accounts.do("deliver", who, 100) for who in (0, 1, 0, 1, 2)]
        self.assertEqual(outcomes, [True] * 4 + [False])


class FileTests(InlineCase):
    """The file itself, cut short and of another boot."""

    def pieces(self):
        with open(self.limit.file, "rb") as file:
            octets = file.read()
        size = domain_sum.RECORD_OCTETS
        return [octets[at : at + size] for at in range(0, len(octets), size)]

    def write(self, pieces):
        with open(self.limit.file, "wb") as file:
            file.write(b"".join(pieces))

    def test_whoever_was_killed_between_head_and_record_is_helped(self):
        self.deliver(0)
        before = self.pieces()
        self.deliver(0)
        head = self.pieces()[0]
        self.write([head, *before[1:]])
        self.assertEqual(told(self.limit), (2 * LETTER, 2))
        self.assertEqual(self.pieces()[1], self.written_by_two())

    def written_by_two(self):
        with domain_sum.opened(self.limit) as total:
            (record,) = total._records()
        self.assertEqual(record.figures, domain_sum.Figures(2 * LETTER, 2))
        return record.written()

    def test_after_a_boot_whole_records_are_summed_and_nothing_is_in_flight(self):
        for who in (0, 1, 2):
            self.deliver(who)
        with domain_sum.opened(self.limit) as total:
            record = total._records()[2]
        flying = domain_sum.Figures(LETTER, 1, 50, 1, 1)
        pieces = self.pieces()
        pieces[3] = evolve(record, figures=flying).written()
        pieces[1] = pieces[1][:100] + b"torn" + pieces[1][104:]
        self.patch(domain_sum, "boot_id", lambda: "another")
        self.write(pieces)
        self.assertEqual(told(self.limit), (2 * LETTER, 2))
        with domain_sum.opened(self.limit) as total:
            self.assertTrue(total.fits((0, 2)), "only what is held counts")
            self.assertFalse(total.fits((0, 3)))
        self.deliver(0)
        self.assertEqual(told(self.limit)[1], 4, "and a torn one is made anew")

    @settings(max_examples=50, deadline=None)
    @given(octets=st.binary(max_size=3000))
    def test_arbitrary_octets_are_an_empty_sum(self, octets):
        os.makedirs(os.path.dirname(self.limit.file), exist_ok=True)
        self.write([octets])
        self.assertEqual(told(self.limit), (0, 0))
        with domain_sum.opened(self.limit) as total:
            total.put("/nowhere", ledger.Page(held={"": [7, 1]}, stale=False))
        self.assertEqual(told(self.limit), (7, 1))

    def test_a_flight_that_no_page_knows_of_refuses_nobody(self):
        """Killed after the sum was told and before the page was written."""
        self.deliver(0)
        home = self.accounts.accounts[1].home
        self.deliver(1)
        page = ledger.Page(held={"": [100, 1]}, stale=False)
        page.flights["1.1.1"] = [ledger.Change("INBOX", 10, 2)]
        with domain_sum.opened(self.limit) as total:
            total.put(home, page)
            self.assertFalse(total.fits((1, 1)))
        self.patch(domain_sum, "TRUSTED_S", -1.0)
        self.assertTrue(self.deliver(2))
        self.assertTrue(self.deliver(0))
        self.assertFalse(self.deliver(0))

    def test_fsck_compares_the_sum_with_what_accounts_hold(self):
        self.deliver(0)
        self.deliver(1)
        accounts, store = self.accounts.accounts, self.accounts.stores[0]
        tree = store.mailboxes(accounts[0])
        self.assertEqual(store.now(tree.check()).findings, [])
        with domain_sum.opened(self.limit) as total:
            total._head.sums = (7, 7, 0, 0)
            total._write_head()
        for repair in (False, True):
            (found,) = store.now(tree.check(repair=repair)).findings
            self.assertEqual((found.what, found.repaired), (SUM_WRONG, repair))
        self.assertEqual(told(self.limit), (2 * LETTER, 2))
        self.assertEqual(store.now(tree.check()).findings, [])

    def test_the_file_is_for_the_server_alone(self):
        self.deliver(0)
        for path, mode in (
            (self.limit.file, 0o600),
            (os.path.dirname(self.limit.file), 0o700),
        ):
            self.assertEqual(os.stat(path).st_mode & 0o777, mode, path)


class ParallelTests(OnDisk, StoreWords, TestCase):
    timeout = 60

    async def test_two_processes_do_not_pass_the_limit_of_a_domain(self):
        """All accounts at once, in threads; nobody tells the other."""
        os.makedirs(self.root, exist_ok=True)
        limit = limit_in(self.root, 40_000, None)
        stores = [self.store, self.another_store()]
        accounts = [
            Account(f"{name}@example.test", self.home(name), domain=limit)
            for name in NAMES
        ]
        chance = random.Random(7)
        outcomes = []

        async def one(store, account):
            tree = store.mailboxes(account)
            for _ in range(15):
                to = LocalRecipient(Address.parse(account.name), account)
                sink = store.delivery().begin(Envelope("m", "s", None, (to,)))
                sink.write(b"x" * 1500)
                (verdict,) = await sink.commit()
                if verdict is not None:
                    self.assertIsInstance(verdict, OverQuota)
                outcomes.append(verdict is None)
                if chance.random() < 0.2:
                    mailbox = await tree.open(INBOX)
                    await mailbox.expunge((await mailbox.rows()).uids[:2])
                    await mailbox.close()

        await gatherResults(
            [
                Deferred.fromCoroutine(one(store, account))
                for store in stores
                for account in accounts
            ]
        )
        self.assertIn(False, outcomes)
        there = sum_of([account.home for account in accounts])
        self.assertLessEqual(there[0], 40_000)
        for account in accounts:
            await stores[0].mailboxes(account).status(INBOX)
        self.assertEqual(told(limit), sum_of([account.home for account in accounts]))
