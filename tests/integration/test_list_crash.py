"""A server killed at any moment between a post that came and its way to the members."""

import os
import shutil

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, RemoteRecipient, Route, Target
from mailtwist.lists.outbox import Outbox
from mailtwist.queue.admin import QueueAdmin
from tests.integration.test_queue_crash import ENOUGH_CALLS, InlineSpool
from tests.lists.rooms import DEV, Anywhere, Office
from tests.lists.samples import post
from tests.store import traced

ANN = Address("ann", "a.test")
TO_LIST = RemoteRecipient(DEV, (Target(DEV, Route("list")),))


class Server:
    """Queue and lists in one folder, with no reactor and no threads."""

    def __init__(self, folder):
        self.queue = InlineSpool(f"{folder}/queue")
        self.office = Office(f"{folder}/lists.sqlite")
        self.spool, self.folder = self.queue.spool, folder
        self.outbox = Outbox(
            self.office.store,
            self.spool,
            Anywhere(),
            "mail.test",
            lambda: succeed(None),
        )

    def came(self, octets):
        sink = self.spool.begin(Envelope("came", "s", ANN, (TO_LIST,)))
        sink.write(octets)
        self.queue.now(sink.commit())

    def work(self):
        """What a start and one round of the queue do."""
        self.queue.now(self.outbox.look())
        message = self.queue.now(self.spool.message("came"))
        if message is not None:
            content = self.spool.content(message)
            octets = self.queue.now(content.read(0, content.octets))
            self.queue.now(self.office.desk.take(DEV, octets, ANN, "came/1"))
            self.queue.now(self.outbox.look())
            self.queue.now(self.spool.settle("came", [1], []))

    def shown(self):
        """(sender, recipients) of all mail in the queue, and what the lists have."""
        admin = QueueAdmin(f"{self.folder}/queue", lambda: 1000.0)
        mails = sorted(
            (
                str(entry.message.reverse_path),
                tuple(sorted(str(one.address) for one in entry.recipients)),
            )
            for entry in admin.listed()
        )
        admin.close()

        def count(connection):
            return [
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
                for table in ("outbox", "entry", "seen", "pending", "digest")
            ]

        return mails, self.office.did(self.office.store.read(count))

    def close(self):
        self.queue.close()
        self.office.close()


class ListCrashTests(SynchronousTestCase):
    def prepare(self, octets, **options):
        self.prepared = os.path.abspath(self.mktemp())
        os.makedirs(self.prepared)
        Office(f"{self.prepared}/lists.sqlite", **options).close()
        server = Server(self.prepared)
        server.office.join("bob@b.test")
        server.office.join("cat@c.test", mode="digest")
        server.came(octets)
        server.close()
        self.folder = f"{self.prepared}.killed"

    def served(self, tell=lambda told: None):
        server = Server(self.folder)
        server.work()
        tell(b"done")
        found = server.shown()
        server.close()
        return found

    def copied(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.prepared, self.folder)

    def killed_anywhere(self):
        self.copied()
        after = self.served()
        for number in range(1, ENOUGH_CALLS):
            self.copied()
            _, call = traced.killed_at(number, self.served)
            self.assertEqual(self.served(), after, f"call {number}: {call}")
            if call is None:
                return after
        return self.fail("more system calls than thought")

    def test_a_post_goes_out_once(self):
        self.prepare(post(author="Bob <bob@b.test>"))
        mails, counts = self.killed_anywhere()
        to = ("bob@b.test", "dev-archive@lists.test")
        self.assertEqual(mails, [("dev-bounces@lists.test", to)])
        self.assertEqual(counts, [0, 1, 1, 0, 1])

    def test_a_post_is_held_once(self):
        self.prepare(post())
        mails, counts = self.killed_anywhere()
        self.assertEqual(mails, [("dev-bounces@lists.test", ("ola@lists.test",))])
        self.assertEqual(counts, [0, 0, 1, 1, 0])
