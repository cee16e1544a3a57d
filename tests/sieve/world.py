"""A store in memory and a queue on disk behind scripts: what tests of both share."""

import os

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.config.model import Config, Server
from mailtwist.config.queueing import Queue
from mailtwist.config.sieve import Sieve
from mailtwist.delivery.model import (
    NOTHING_SAID,
    Envelope,
    LocalRecipient,
    RemoteRecipient,
)
from mailtwist.directory.model import Account
from mailtwist.errors import LookupFailed, NoSuchUser
from mailtwist.mailbox.model import INBOX, Range
from mailtwist.queue.spool.disk import DiskSpool
from mailtwist.service.sieve import Sieving
from mailtwist.store.memory import MemoryStore

from .running import REQUIRE

ANN, BOB = "ann@example.test", "bob@example.test"
SENDER = Address.parse("carl@example.org")
TRACE = b"Received: from there by here\r\n"
LETTER = (
    b"From: carl@example.org\r\nTo: ann@example.test\r\nSubject: lunch\r\n\r\nHi\r\n"
)


class Router:
    """Ann and Bob are here, "down" cannot be looked up."""

    async def resolve(self, address, *, may_relay, sender=None, behind="", **more):
        if address.local_part == "down":
            raise LookupFailed()
        if address.domain != "example.test":
            return RemoteRecipient(address)
        return await self.mailbox(address)

    async def mailbox(self, address, **more):
        if address.local_part not in ("ann", "bob"):
            raise NoSuchUser()
        return LocalRecipient(address, Account(str(address), f"/home/{address}"))


class Friends:
    name, whole_keys = "friends", False

    async def find(self, key):
        return "yes" if key in (str(SENDER), "@example.com") else None

    async def keys(self):
        return self.listed

    def __init__(self, listed=None):
        self.listed = listed


class Scripted(TestCase):
    """Words for tests."""

    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        self.now_s = 1_000_000.0
        self.store, self.friends = MemoryStore(), Friends()
        self.spool = DiskSpool(
            reactor, os.path.join(self.folder, "q"), Queue(), now=lambda: self.now_s
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(self.spool.close()))
        self.build()
        return self.spool.start()

    def build(self, **sieve):
        events = sieve.pop("events", ())
        config = Config(
            server=Server(data=self.folder), sieve=Sieve(**sieve), imap_event=events
        )
        self.sieving = sieving = Sieving(reactor, config)
        self.addCleanup(lambda: Deferred.fromCoroutine(sieving.close()))
        self.delivery = sieving.delivery(
            self.store.delivery(),
            "mx.example.test",
            store=self.store,
            spool=self.spool,
            router=Router(),
            tables={"friends": self.friends},
        )
        self.patch(
            self.delivery,
            "setting",
            evolve(
                self.delivery.setting,
                rooms=evolve(self.delivery.setting.rooms, now=lambda: self.now_s),
            ),
        )

    # -- words ------------------------------------------------------------------------

    def account(self, name=ANN):
        return Account(name, f"/home/{name}")

    async def script(self, text, name=ANN, head=REQUIRE):
        tree = self.store.mailboxes(self.account(name))
        await tree.put_script("main", (head + text).encode(), 9)
        await tree.activate_script("main")

    async def deliver(
        self, octets=LETTER, to=(ANN,), sender=SENDER, notify=NOTHING_SAID, **more
    ):
        recipients = tuple(
            LocalRecipient(Address.parse(name), self.account(name), notify=notify)
            for name in to
        )
        envelope = Envelope("m1", "s1", sender, recipients, TRACE, **more)
        sink = self.delivery.begin(envelope)
        for at in range(0, len(octets), 100_000):
            waiting = sink.write(octets[at : at + 100_000])
            if waiting is not None:
                await waiting
        return await sink.commit()

    async def held(self, path=INBOX, name=ANN):
        """(flags, octets) of the messages in a mailbox."""
        mailbox = await self.store.mailboxes(self.account(name)).open(path)
        rows = await mailbox.rows()
        octets = await mailbox.octets([Range(uid) for uid in rows.uids])
        await mailbox.close()
        return list(zip(rows.flags, octets, strict=True))

    async def queued(self):
        """(sender, [(address, transport, next hop)], octets) of what waits."""
        found = []
        for message, recipients in await self.spool.due(self.now_s + 1, 100):
            octets = await self.spool.content(message).read(0, 10_000_000)
            path = message.reverse_path and str(message.reverse_path)
            to = [
                (str(one.address), one.route.transport, one.route.next_hop)
                for one in recipients
            ]
            found.append((path, to, octets))
        return sorted(found, key=lambda one: (one[1], one[2]))
