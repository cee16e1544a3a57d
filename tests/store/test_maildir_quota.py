"""What accounts hold: the figure is the sum of the files, whoever changed them."""

import contextlib
import os
import random
import re
import shutil
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.address import Address
from mailtwist.config.limiting import QuotaLimits
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import MailError, MessageGone, OverQuota
from mailtwist.flags import NONE
from mailtwist.mailbox.model import INBOX, Limits, Range
from mailtwist.store.maildir import ledger, maildirsize, transfer

from .contract import MESSAGE, StoreWords
from .inline import InlineStore
from .on_disk import OnDisk

TREE = [INBOX, ("A",), ("A", "B"), ("A", "C"), ("D",)]
ROOTS = [("A",), ("A", "B")]


def held(maildir, path=()):
    """(octets, messages) of the files at and below a mailbox."""
    octets = messages = 0
    below = "." + ".".join(path)
    for name in ["", *os.listdir(maildir)] if os.path.isdir(maildir) else []:
        folder = os.path.join(maildir, name)
        if path and not (name == below or name.startswith(below + ".")):
            continue
        for part in ("cur", "new"):
            if os.path.isdir(os.path.join(folder, part)):
                for file in os.listdir(os.path.join(folder, part)):
                    octets += os.stat(os.path.join(folder, part, file)).st_size
                    messages += 1
    return octets, messages


class QuotaWords(OnDisk, StoreWords):
    async def figure(self, tree=None):
        usage = await (tree or self.tree).usage()
        return usage.octets, usage.messages

    def held(self, path=()):
        return held(self.maildir(), path)

    async def exact(self):
        """The figures are those of the files, everywhere."""
        self.assertEqual(await self.figure(), self.held())
        self.assertEqual(maildirsize.read(self.maildir())[1:], self.held())

    def page(self):
        path = os.path.join(self.home(self.name), ledger.NAME)
        with ledger.Book.open(path) as book:
            return book.read()


class UsageTests(QuotaWords, TestCase):
    async def test_figures_stay_exact_through_every_action(self):
        self.limited(10**6, 1000)
        await self.tree.create(("There",))
        await self.exact()
        await self.put()
        await self.put(octets=b"x" * 5000)
        self.assertEqual(await self.figure(), (5000 + len(MESSAGE), 2))
        await self.deliver(self.account)
        await self.exact()
        mailbox = await self.open()
        await self.exact()
        for work in (
            mailbox.copy([1, 3], ("There",)),
            mailbox.move([2], ("There",)),
            mailbox.move([3], INBOX),
            mailbox.expunge([1]),
            self.tree.rename(("There",), ("Elsewhere", "There")),
            self.deliver(self.account),
            self.tree.delete(("Elsewhere", "There")),
        ):
            await work
            await self.exact()
        self.assertEqual((await self.figure())[1], 2)
        self.assertEqual(self.page().flights, {})

    async def test_nothing_is_counted_again_while_nobody_else_changes_anything(self):
        self.limited(10**6)
        await self.exact()
        self.patch(ledger, "TRUSTED_S", -1.0)
        counted = self.page().at
        for _ in range(30):
            await self.deliver(self.account)
        mailbox = await self.open()
        await mailbox.expunge([1, 2, 3])
        await self.deliver(self.account)
        await self.exact()
        self.assertEqual(self.page().at, counted)

    async def test_nobody_is_refused_for_figures_of_old(self):
        self.limited(6000)
        await self.put(octets=b"x" * 5500)
        await self.tree.usage()
        os.unlink(self.maildir("cur", os.listdir(self.maildir("cur"))[0]))
        self.patch(ledger, "TRUSTED_S", -1.0)
        self.patch(ledger, "TRUSTED_TIMES", 0)
        await self.put(octets=b"y" * 5500)
        self.assertEqual((await self.figure())[1], 1)

    async def test_nor_at_delivery(self):
        self.limited(6000)
        self.assertEqual(await self.deliver(self.account, octets=b"x" * 5500), [None])
        os.unlink(self.maildir("new", os.listdir(self.maildir("new"))[0]))
        (verdict,) = await self.deliver(self.account, octets=b"y" * 5500)
        self.assertIsInstance(verdict, OverQuota, "counted a moment ago")
        self.patch(ledger, "TRUSTED_S", -1.0)
        self.patch(ledger, "TRUSTED_TIMES", 0)
        self.assertEqual(await self.deliver(self.account, octets=b"y" * 5500), [None])
        await self.exact()

    async def test_what_other_programs_do_counts_after_a_look(self):
        self.limited(10**6)
        await self.put()
        await self.exact()
        self.write(b"x" * 700, "new", "1.procmail.mx")
        self.write(b"y" * 300, "cur", "2.mutt.mx:2,S")
        await self.tree.status(INBOX)
        await self.exact()
        (mine,) = [name for name in os.listdir(self.maildir("cur")) if ",S=" in name]
        os.unlink(self.maildir("cur", mine))
        await self.tree.status(INBOX)
        await self.exact()

    async def test_what_clients_are_sending_counts_at_RCPT(self):
        self.limited(1000)
        to = LocalRecipient(Address.parse(self.name), self.account)
        self.assertTrue(await self.tree.fits(INBOX, 600))
        envelope = Envelope("m", "s", None, (to,), size_octets=500)
        sink = self.store.delivery().begin(envelope)
        self.assertFalse(await self.tree.fits(INBOX, 600))
        self.assertTrue(await self.tree.fits(INBOX, 500))
        sink.abort()
        sink.abort()
        self.assertTrue(await self.tree.fits(INBOX, 600))
        sink = self.store.delivery().begin(envelope)
        sink.write(b"x" * 700)
        self.assertEqual(await sink.commit(), [None], "its own does not hinder it")
        self.assertEqual(self.tree.files.coming.to(self.account), (0, 0))

    async def test_an_account_without_limits_has_no_ledger(self):
        await self.put()
        await self.deliver(self.account)
        self.assertEqual(await self.figure(), self.held())
        self.assertEqual(await self.tree.quotas(), [])
        path = os.path.join(self.home(self.name), ledger.NAME)
        self.assertFalse(os.path.exists(path))

    async def test_limits_that_come_and_go(self):
        self.limited(10**6)
        await self.put()
        await self.exact()
        self.limited(None)
        await self.deliver(self.account)
        await self.put()
        self.limited(None, 4)
        await self.exact()
        self.assertEqual(await self.deliver(self.account), [None])
        self.assertIsInstance((await self.deliver(self.account))[0], OverQuota)

    async def test_a_ledger_of_before_the_last_boot_is_counted_anew(self):
        self.limited(10**6)
        await self.put()
        await self.exact()
        path = self.tree.files.counting.path
        with ledger.Book.make(path) as book, book.changed() as page:
            page.boot, page.held = "another", {"": [1, 1]}
        await self.exact()

    async def test_a_ledger_that_makes_no_sense_is_counted_anew(self):
        self.limited(10**6)
        await self.put()
        await self.exact()
        for octets in (b"", b"{", b"\xff\n", b"[]\n", b'{"a":1}\n', b'{"flights":1}\n'):
            with open(self.tree.files.counting.path, "wb") as file:
                file.write(octets)
            self.assertEqual(await self.deliver(self.account), [None])
            await self.exact()


class PendingTests(QuotaWords, TestCase):
    async def test_a_count_between_the_row_and_the_name_of_a_message_has_it(self):
        """Another process counts just when an APPEND is recorded."""
        self.limited(10**6)
        await self.put()
        other = self.another_store().mailboxes(self.account)
        shown, counted = transfer._shown, []

        def slow(into, added):
            counted.append(blockingCallFromThread(reactor, recount))
            return shown(into, added)

        def recount():
            return Deferred.fromCoroutine(other.recount())

        self.patch(transfer, "_shown", slow)
        await self.put()
        self.assertEqual(counted[0].messages, 2)
        self.assertEqual(await self.figure(), self.held())


class RestartTests(QuotaWords, TestCase):
    async def test_limits_are_there_after_a_restart(self):
        await self.tree.create(("A",))
        await self.tree.set_limits(("A",), Limits(octets=1000))
        await self.put(("A",), b"x" * 800)
        await self.restart()
        await self.faulty(OverQuota, self.put(("A",), b"x" * 300))
        await self.tree.set_limits(("A",), Limits())
        self.assertEqual(await self.tree.quotas(), [])
        await self.put(("A",), b"x" * 300)


class WarningTests(QuotaWords, TestCase):
    quota = QuotaLimits(warn_at=("50%", "80"))

    async def warnings(self):
        """Subjects of the messages in INBOX that the server wrote."""
        mailbox = await self.open()
        octets = await mailbox.octets([Range(u) for u in (await mailbox.rows()).uids])
        ours = [message for message in octets if b"Auto-Submitted" in message]
        return [re.search(rb"Subject: (.*)\r\n", each)[1].decode() for each in ours]

    async def warned(self, count):
        for _ in range(200):
            found = await self.warnings()
            if len(found) >= count:
                break
            await deferLater(reactor, 0.01)
        self.assertEqual(len(found), count, found)
        return found

    async def test_each_threshold_is_told_once_when_it_is_passed(self):
        self.limited(None, 10)
        for _ in range(4):
            await self.deliver(self.account)
        self.assertEqual(await self.warnings(), [])
        await self.deliver(self.account)
        self.assertEqual(await self.warned(1), ["Your mailbox is 50% full"])
        await self.deliver(self.account)
        await self.put()
        self.assertEqual((await self.warned(2))[-1], "Your mailbox is 80% full")
        mailbox = await self.open()
        await mailbox.expunge((await mailbox.rows()).uids[:6])
        await self.put()
        self.assertEqual((await self.figure())[1], 4)
        await self.put()
        self.assertEqual(len(await self.warned(2)), 2, "50% is passed again")

    async def test_two_processes_tell_it_once(self):
        self.limited(None, 10)
        trees = [self.tree, self.another_store().mailboxes(self.account)]
        for at in range(5):
            self.tree = trees[at % 2]
            await self.put()
        await self.warned(1)
        self.tree = trees[1]
        await self.put()
        self.assertEqual(await self.warned(1), ["Your mailbox is 50% full"])
        self.assertEqual(self.page().warned, {"": 50})

    async def test_a_message_that_nearly_fills_the_account_is_told_of_too(self):
        self.limited(1000)
        await self.put(octets=b"x" * 990)
        (subject,) = await self.warned(1)
        self.assertEqual(subject, "Your mailbox is 80% full")
        self.assertGreater((await self.figure())[0], 1000, "it comes in any case")

    async def test_a_mailbox_with_a_limit_is_named(self):
        await self.tree.create(("A",))
        await self.tree.set_limits(("A",), Limits(octets=1000))
        await self.put(("A",), b"x" * 600)
        await self.warned(1)
        mailbox = await self.open()
        (message,) = await mailbox.octets([Range(1)])
        self.assertIn(b"ann@example.test in A takes 600 octets of 1000 octets", message)


class PermanentTests(QuotaWords, TestCase):
    quota = QuotaLimits(full="permanent")

    async def test_senders_are_told_not_to_try_again(self):
        self.limited(100)
        (verdict,) = await self.deliver(self.account, octets=b"x" * 200)
        self.assertIsInstance(verdict, OverQuota)
        self.assertEqual(verdict.status, "5.2.2")


class ParallelTests(QuotaWords, TestCase):
    timeout = 60

    async def test_two_processes_do_not_pass_the_limit(self):
        """Both deliver, append and expunge at once; nobody tells the other."""
        self.limited(40 * 1000)
        stores = [self.store, self.another_store()]
        trees = [store.mailboxes(self.account) for store in stores]
        await trees[0].usage()
        chance = random.Random(5)
        outcomes = []

        async def one(store, tree):
            for _ in range(25):
                self.store, self.tree = store, tree
                doing = chance.choice(
                    [self.arrive, self.arrive, self.append, self.copied]
                )
                outcomes.append(await doing(store, tree))
                if chance.random() < 0.2:
                    mailbox = await tree.open(INBOX)
                    await mailbox.expunge((await mailbox.rows()).uids[:2])
                    await mailbox.close()

        work = [
            Deferred.fromCoroutine(one(store, tree))
            for store, tree in zip(stores * 3, trees * 3, strict=True)
        ]
        await gatherResults(work)
        self.assertIn(False, outcomes)
        self.assertLessEqual(self.held()[0], 40_000)
        for tree in trees:
            await tree.status(INBOX)
            self.assertEqual(await self.figure(tree), self.held())
        self.assertEqual(maildirsize.read(self.maildir())[1:], self.held())
        self.assertEqual(self.page().flights, {})

    async def arrive(self, store, tree):
        to = LocalRecipient(Address.parse(self.name), self.account)
        sink = store.delivery().begin(Envelope("m", "s", None, (to,)))
        sink.write(b"x" * 900)
        (verdict,) = await sink.commit()
        if verdict is not None:
            self.assertIsInstance(verdict, OverQuota)
        return verdict is None

    async def append(self, store, tree):
        upload = tree.upload()
        upload.write(b"y" * 1500)
        try:
            await tree.append(INBOX, [(upload, NONE, None)])
        except OverQuota:
            return False
        return True

    async def copied(self, store, tree):
        mailbox = await tree.open(INBOX)
        try:
            await mailbox.copy((await mailbox.rows()).uids[:2], INBOX)
        except (OverQuota, MessageGone):
            return False
        finally:
            await mailbox.close()
        return True

    async def test_a_hundred_at_once_for_the_last_places(self):
        self.limited(None, 7)
        outcomes = await gatherResults(
            [Deferred.fromCoroutine(self.deliver(self.account)) for _ in range(100)]
        )
        self.assertEqual([each for (each,) in outcomes].count(None), 7)
        await self.exact()


PATHS = st.sampled_from(TREE)
STEPS = st.one_of(
    st.tuples(st.just("append"), PATHS, st.integers(0, 3000)),
    st.tuples(st.just("deliver"), PATHS, st.integers(0, 3000)),
    st.tuples(st.just("copy"), PATHS, PATHS, st.integers(1, 3)),
    st.tuples(st.just("move"), PATHS, PATHS, st.integers(1, 3)),
    st.tuples(st.just("replace"), PATHS, PATHS, st.integers(0, 3000)),
    st.tuples(st.just("expunge"), PATHS, st.integers(1, 3)),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("delete"), PATHS),
    st.tuples(st.just("create"), PATHS),
    st.tuples(st.just("foreign"), PATHS, st.integers(0, 3000)),
    st.tuples(st.just("look"), PATHS),
)


class Actions:
    """What a step does to an account of an InlineStore."""

    def __init__(self, home):
        self.store = InlineStore()
        self.account = Account(
            "ann@example.test", home, 9000, message_limit=9, mailbox_limits=LIMITS
        )
        self.tree = self.store.mailboxes(self.account)
        self.maildir = os.path.join(home, "Maildir")

    def do(self, name, *arguments):
        with contextlib.suppress(MailError):  # then nothing changes
            self.store.now(getattr(self, name)(*arguments))

    async def append(self, path, octets):
        upload = self.tree.upload()
        upload.write(b"x" * octets)
        await self.tree.append(path, [(upload, NONE, None)])

    async def deliver(self, path, octets):
        to = LocalRecipient(Address.parse(self.account.name), self.account, "", path)
        sink = self.store.delivery().begin(Envelope("m", "s", None, (to,)))
        sink.write(b"x" * octets)
        await sink.commit()

    async def copy(self, path, target, count):
        mailbox = await self.tree.open(path)
        await mailbox.copy((await mailbox.rows()).uids[:count], target)

    async def move(self, path, target, count):
        mailbox = await self.tree.open(path)
        await mailbox.move((await mailbox.rows()).uids[:count], target)

    async def replace(self, path, target, octets):
        mailbox = await self.tree.open(path)
        for uid in (await mailbox.rows()).uids[:1]:
            upload = self.tree.upload()
            upload.write(b"y" * octets)
            await mailbox.replace(uid, target, (upload, NONE, None))

    async def expunge(self, path, count):
        mailbox = await self.tree.open(path)
        await mailbox.expunge((await mailbox.rows()).uids[-count:])

    async def rename(self, path, target):
        await self.tree.rename(path, target)

    async def delete(self, path):
        await self.tree.delete(path)

    async def create(self, path):
        await self.tree.create(path)

    async def foreign(self, path, octets):
        """Another program delivers, and we look."""
        folder = (await self.tree.open(path))._live.folder
        name = f"{folder}/new/{os.urandom(8).hex()}"
        with open(name, "wb") as file:
            file.write(b"z" * octets)
        await self.tree.open(path)

    async def look(self, path):
        await self.tree.open(path)


LIMITS = ((("A",), 5000, 5), (("A", "B"), 3000, None))


class PropertyTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(steps=st.lists(STEPS, max_size=25), started=st.integers(0, 25))
    def test_the_figure_is_the_sum_of_the_files(self, steps, started):
        """From whatever step on somebody asks for it."""
        home = tempfile.mkdtemp(dir=os.getcwd())
        try:
            actions = Actions(home)
            for at, step in enumerate(steps):
                actions.do(*step)
                if at >= started:
                    self.check(actions)
            self.check(actions)
            actions.store.now(actions.store.close())
        finally:
            shutil.rmtree(home)

    def check(self, actions):
        usage = actions.store.now(actions.tree.usage())
        there = held(actions.maildir)
        self.assertEqual((usage.octets, usage.messages), there)
        for quota in actions.store.now(actions.tree.quotas()):
            there = held(actions.maildir, quota.root)
            self.assertEqual((quota.octets, quota.messages), there, quota.root)
        said = maildirsize.read(actions.maildir)
        self.assertEqual(said[1:], held(actions.maildir))
