"""Killed at any system call of a delivery or an expunge, the figure is right again.

Without a mailbox being opened: whoever asks next finds the change that was cut short,
and counts once.
"""

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import OverQuota
from mailtwist.mailbox.model import INBOX
from mailtwist.store.maildir import ledger
from tests.integration.test_store_crash import CrashCase, letter
from tests.store.inline import InlineStore


def held(maildir):
    """(octets, messages) of the files that clients may see."""
    found = [
        os.stat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(maildir)
        if os.path.basename(folder) in ("new", "cur")
        for name in names
        if name[0] != "."
    ]
    return sum(found), len(found)


class FigureTests(CrashCase):
    def setUp(self):
        super().setUp()
        self.maildir = os.path.join(self.home, "Maildir")

    def child(self, work):
        def run(tell):
            store, tree = self.opened(self.home)
            store.now(work(store, tree))
            tell(b"done")
            store.now(store.close())

        return run

    def figure(self):
        store, tree = self.opened(self.home)
        try:
            usage = store.now(tree.usage())
            path = tree.files.counting.path
            with ledger.Book.open(path) as book:
                page = book.read()
            self.assertEqual(page.flights, {})
            return (usage.octets, usage.messages), page.at
        finally:
            store.now(store.close())

    def right_after(self, work):
        """After a kill anywhere; True for each that made a count necessary."""
        self.fresh_home()
        _, counted_at = self.figure()
        counted = []
        for _, call in self.killed(work):
            if os.path.isdir(self.maildir):
                found, at = self.figure()
                self.assertEqual(found, held(self.maildir), call)
                counted.append(at != counted_at)
                again, once = self.figure()
                self.assertEqual((again, once), (found, at), "it is not counted twice")
        return counted

    async def deliver(self, store, tree):
        for octets in (letter(30), letter(31)):
            to = LocalRecipient(Address.parse("ann@example.test"), tree.files.account)
            sink = store.delivery().begin(Envelope("m", "s", None, (to,)))
            sink.write(octets)
            self.assertEqual(await sink.commit(), [None])

    def test_delivery(self):
        counted = self.right_after(self.deliver)
        self.assertIn(True, counted)
        self.assertIn(False, counted, "only when something was cut short")

    def test_delivery_that_a_session_takes_in(self):
        async def work(store, tree):
            await self.deliver(store, tree)
            await (await tree.open(INBOX)).close()

        self.assertIn(True, self.right_after(work))


class ProcessesTests(SynchronousTestCase):
    """Processes deliver to one account at once, and one of them is killed."""

    MESSAGES = 60

    def account(self):
        return Account("ann@example.test", self.home, message_limit=self.MESSAGES)

    def child(self):
        """Delivers until the account is full."""
        store = InlineStore()
        store.now(store.mailboxes(self.account()).usage())
        to = LocalRecipient(Address.parse("ann@example.test"), self.account())
        for number in range(self.MESSAGES + 5):
            sink = store.delivery().begin(Envelope("m", "s", None, (to,)))
            sink.write(letter(number))
            (verdict,) = store.now(sink.commit())
            if isinstance(verdict, OverQuota):
                return
            if number == 2:
                os.write(self.begun, b".")

    def forked(self):
        pid = os.fork()
        if not pid:
            try:
                self.child()
                os._exit(0)
            finally:
                os._exit(1)
        return pid

    def test_the_limit_is_not_passed_and_the_figure_is_right(self):
        self.home = os.path.abspath(self.mktemp())
        listens, self.begun = os.pipe()
        pids = [self.forked() for _ in range(4)]
        os.read(listens, 1)  # somebody is in the middle of it
        os.kill(pids[0], signal.SIGKILL)
        ended = [os.waitpid(pid, 0)[1] for pid in pids]
        for descriptor in (listens, self.begun):
            os.close(descriptor)
        self.assertEqual(ended[1:], [0, 0, 0])
        there = held(os.path.join(self.home, "Maildir"))
        self.assertEqual(there[1], self.MESSAGES)
        store = InlineStore()
        usage = store.now(store.mailboxes(self.account()).usage())
        store.now(store.close())
        self.assertEqual((usage.octets, usage.messages), there)
