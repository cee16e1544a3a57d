"""kill -9 at every system call of the queue: each change is there as a whole or not at
all, and once it was acknowledged it is there."""

import os
import shutil

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.queueing import Queue
from mailtwist.delivery.model import Envelope, RemoteRecipient
from mailtwist.queue.admin import Filter, QueueAdmin
from mailtwist.queue.spool import statements
from mailtwist.queue.spool.disk import DATABASE, INLINE_OCTETS, DiskSpool
from mailtwist.queue.spool.thread import Direct, connect
from tests.store import traced
from tests.store.inline import InlineSpooler

ENOUGH_CALLS = 300
SMALL, LARGE = b"small\r\n", b"0123456789" * 40_000
TRACE = b"Received: here\r\n"
TO = tuple(RemoteRecipient(Address(name, "x.test")) for name in "abc")
ANN = Address("ann", "here.test")


class InlineSpool:
    """The spool with no reactor and no threads."""

    def __init__(self, folder):
        self.clock, self.folder = Clock(), folder
        os.makedirs(folder, exist_ok=True)
        path = f"{folder}/{DATABASE}"
        self.runners = [
            Direct(connect(path), writes=True),
            Direct(connect(path), writes=False),
        ]
        self.spool = DiskSpool(
            self.clock,
            folder,
            Queue(),
            now=lambda: 1000.0,
            writer=self.runners[0],
            reader=self.runners[1],
        )
        self.spool.spooler = InlineSpooler(self.clock, INLINE_OCTETS)
        self.spool.start()

    def now(self, coroutine):
        results = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        while not results:
            self.clock.advance(0)
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def close(self):
        self.now(self.spool.close())

    async def put(self, name, octets):
        sink = self.spool.begin(Envelope(name, "s", ANN, TO, TRACE))
        for at in range(0, len(octets), INLINE_OCTETS):
            waiting = sink.write(octets[at : at + INLINE_OCTETS])
            if waiting is not None:
                await waiting
        if await sink.commit() != [None] * len(TO):
            raise AssertionError("not taken")

    async def shown(self):
        """{id: (octets, held, recipients)}, every file accounted for."""
        found, files = {}, set(os.listdir(self.spool.files))
        admin = QueueAdmin(self.folder, lambda: 1000.0)
        for entry in admin.listed():
            message = entry.message
            octets = b"".join(admin.content(message.queue_id))
            if len(octets) != message.octets:
                raise AssertionError(f"{message.queue_id} has {len(octets)} octets")
            recipients = tuple(evolve(r, due_s=0.0) for r in entry.recipients)
            found[message.queue_id] = (octets, message.held, recipients)
        admin.close()
        known = await self.spool.reader.submit(statements.files)
        if files != known:
            raise AssertionError(f"{files - known} belong to nobody")
        return found


async def prepare(queue):
    await queue.put("small", SMALL)
    await queue.put("large", LARGE)


async def put_small(queue):
    await queue.put("new", SMALL)


async def put_large(queue):
    await queue.put("new", LARGE)


async def settle_all(queue):
    await queue.spool.settle("small", [1, 2, 3], [])


async def settle_all_of_a_large_one(queue):
    await queue.spool.settle("large", [1, 2, 3], [])


async def settle_with_a_report(queue):
    first, second, _ = await queue.spool.recipients("large")
    later = evolve(second, attempts=1, reply="450 Later", due_s=5000.0)
    report = Envelope("report", "s", None, TO[:1])
    await queue.spool.settle("large", [first.number], [later], [(report, SMALL)])


async def hold(queue):
    QueueAdmin(queue.folder, lambda: 1000.0).hold()


async def remove(queue):
    QueueAdmin(queue.folder, lambda: 1000.0).remove(Filter(recipient="@x.test"))


class CrashTests(SynchronousTestCase):
    def setUp(self):
        self.prepared = os.path.abspath(self.mktemp())
        queue = InlineSpool(self.prepared)
        queue.now(prepare(queue))
        queue.close()
        self.folder = f"{self.prepared}.killed"
        self.before = self.look(self.prepared)

    def look(self, folder):
        queue = InlineSpool(folder)
        try:
            return queue.now(queue.shown())
        finally:
            queue.close()

    def copied(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.prepared, self.folder)

    def work(self, change, tell):
        queue = InlineSpool(self.folder)
        queue.now(change(queue))
        tell(b"done")
        queue.close()

    def all_or_nothing(self, change):
        self.copied()
        self.work(change, lambda told: None)
        after = self.look(self.folder)
        self.assertNotEqual(after, self.before)
        seen = set()
        for number in range(1, ENOUGH_CALLS):
            self.copied()
            told, call = traced.killed_at(number, lambda tell: self.work(change, tell))
            found = self.look(self.folder)
            self.assertIn(found, (self.before, after), call)
            if told:
                self.assertEqual(found, after, call)
            seen.add((found == after, bool(told)))
            if call is None:
                break
        else:
            self.fail("more system calls than thought")
        self.assertIn((False, False), seen)
        self.assertIn((True, True), seen)

    def test_a_small_message_that_comes(self):
        self.all_or_nothing(put_small)

    def test_a_large_message_that_comes(self):
        self.all_or_nothing(put_large)

    def test_the_end_of_a_small_message(self):
        self.all_or_nothing(settle_all)

    def test_the_end_of_a_large_message(self):
        self.all_or_nothing(settle_all_of_a_large_one)

    def test_an_attempt_with_a_report(self):
        self.all_or_nothing(settle_with_a_report)

    def test_a_hold(self):
        self.all_or_nothing(hold)

    def test_a_removal(self):
        self.all_or_nothing(remove)
