"""A queue in virtual time: real spool and manager, a wire that does as it is told."""

from __future__ import annotations

import os
from collections import defaultdict

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailtwist.address import Address
from mailtwist.config.queueing import Queue
from mailtwist.delivery.model import Envelope, RemoteRecipient, Route, Target
from mailtwist.errors import MailError
from mailtwist.interfaces import IReporter, ITransport
from mailtwist.queue.manager import Manager
from mailtwist.queue.model import Outcome
from mailtwist.queue.spool.disk import DATABASE, DiskSpool
from mailtwist.queue.spool.thread import Direct, connect

START_S = 1_000_000.0
ANN = Address("ann", "here.test")
BOB = Address("bob", "else.test")
DEAD = Outcome(MailError("Cannot connect", status="4.4.1"))
OCTETS = b"Subject: x\r\n\r\nbody\r\n"


def refused(text, status):
    return Outcome(MailError("Refused", status=status), "mx.test", text)


LATER = refused("450 4.2.0 Greylisted", "4.2.0")
NEVER = refused("550 5.1.1 No such user", "5.1.1")
SENT = Outcome(host="mx.test")


@implementer(ITransport)
class Wire:
    """Remembers attempts; `answer(job)` gives one outcome, a list, or a Deferred."""

    def __init__(self, clock):
        self.clock = clock
        self.attempts = []  # (seconds since the start, queue id, addresses)
        self.octets = []
        self.running = self.most_running = 0
        self.answer = lambda job: SENT

    def destination(self, job):
        return job.route.next_hop or job.recipients[0].address.domain

    async def attempt(self, job, content):
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            addresses = [str(each.address) for each in job.recipients]
            self.attempts.append(
                (self.clock.seconds() - START_S, job.message.queue_id, addresses)
            )
            self.octets.append(await content.read(0, content.octets))
            answer = self.answer(job)
            if isinstance(answer, Deferred):
                answer = await answer
            if isinstance(answer, Outcome):
                answer = [answer] * len(job.recipients)
            return answer
        finally:
            self.running -= 1

    @property
    def ids(self):
        return [queue_id for _, queue_id, _ in self.attempts]

    @property
    def times(self):
        return [at_s for at_s, _, _ in self.attempts]


@implementer(IReporter)
class Reports:
    """Reports on everything but successes; the report goes to a mailbox here."""

    def __init__(self):
        self.told = defaultdict(list)
        self.fault = None
        self.kinds = {"failed", "delayed"}

    def wanted(self, message, told, kind):
        return kind in self.kinds and message.reverse_path is not None

    async def reports(self, message, content, told, kind):
        if self.fault is not None:
            raise self.fault
        for recipient, outcome in told:
            self.told[kind].append((str(recipient.address), outcome))
        target = Target(message.reverse_path, Route("mailbox"))
        recipient = RemoteRecipient(message.reverse_path, (target,))
        number = sum(map(len, self.told.values()))
        envelope = Envelope(f"report{number}", "s", None, (recipient,))
        return [(envelope, f"Subject: {kind}\r\n\r\n".encode())]


class World:
    """One host; `restart` as after a crash."""

    def __init__(self, folder, **config):
        self.clock = Clock()
        self.clock.rightNow = START_S
        self.folder, self.config = os.path.abspath(folder), Queue(**config)
        self.wire, self.mailbox = Wire(self.clock), Wire(self.clock)
        self.reports = Reports()
        self.transports = {"smtp": self.wire, "mailbox": self.mailbox}
        self.sent = 0
        self.open()

    def open(self):
        self.open_spool()
        self.manager = Manager(
            clock=self.clock,
            spool=self.spool,
            transports=self.transports,
            reporter=self.reports,
            config=self.config,
            chance=lambda: 0.0,
        )
        self.spool.arrived = self.manager.arrived
        self.manager.start()

    def open_spool(self):
        os.makedirs(self.folder, exist_ok=True)
        writer, reader = (connect(f"{self.folder}/{DATABASE}") for _ in range(2))
        writer.execute("PRAGMA synchronous=OFF")  # nothing cuts the power here
        self.spool = DiskSpool(
            self.clock,
            self.folder,
            self.config,
            now=self.clock.seconds,
            writer=Direct(writer, writes=True),
            reader=Direct(reader, writes=False),
        )
        self.spool.start()

    def close(self):
        """As a kill would: nothing is told to anybody."""
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.spool.arrived = lambda *arguments: None
        self.spool.writer.close()
        self.spool.reader.close()

    def restart(self):
        self.close()
        self.open()

    def queue(self, *recipients, sender=ANN, octets=OCTETS, name="", **more):
        """A message comes; its id."""
        self.sent += 1
        name = name or f"m{self.sent}"
        some = tuple(
            RemoteRecipient(Address.parse(each)) if isinstance(each, str) else each
            for each in recipients or ("bob@else.test",)
        )
        sink = self.spool.begin(Envelope(name, "s", sender, some, **more))
        sink.write(octets)
        verdicts = self.result(sink.commit())
        if verdicts != [None] * len(some):
            raise AssertionError(verdicts)
        return name

    @staticmethod
    def result(coroutine):
        """What a coroutine that need not wait gives."""
        found = []
        Deferred.fromCoroutine(coroutine).addBoth(found.append)
        if not found:
            raise AssertionError("it waits")
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0]

    def waiting(self, queue_id):
        return self.result(self.spool.recipients(queue_id))

    def count(self):
        """Messages in the queue."""
        found = []
        self.spool.reader.submit(
            lambda c: c.execute("SELECT count(*) FROM message").fetchone()[0]
        ).addCallback(found.append)
        return found[0]

    def advance(self, seconds, step=60.0):
        """Let time pass, in steps as a reactor would see it."""
        left = seconds
        while left > 0:
            self.clock.advance(min(step, left))
            left -= step
