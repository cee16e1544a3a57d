import os
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.config.queueing import Queue
from mailtwist.delivery.model import (
    LocalRecipient,
    Notify,
    RemoteRecipient,
    Route,
    Wishes,
)
from mailtwist.directory.model import Account
from mailtwist.errors import AuthUnavailable, NoSuchUser, OverQuota
from mailtwist.queue import drop
from mailtwist.queue.drop import Dropped
from mailtwist.queue.pickup import BAD, Pickup
from mailtwist.queue.spool.disk import DiskSpool

from .rooms import ANN, BOB, OCTETS

MOST_OCTETS = 100_000
NOW_S = 1_000_000.0


class Router:
    """Everybody at here.test has a mailbox; `faults` by local part come first."""

    def __init__(self):
        self.faults = {}

    async def resolve(self, address, *, sender=None, **more):
        fault = self.faults.get(address.local_part)
        if fault is not None:
            raise fault
        if address.domain == "here.test":
            return LocalRecipient(address, Account("x", "/x"))
        return RemoteRecipient(address)


class PickupTests(TestCase):
    timeout = 20

    async def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.clock = Clock()
        self.clock.rightNow = NOW_S
        self.router = Router()
        self.spool = DiskSpool(
            reactor, f"{self.folder}.queue", Queue(), now=self.clock.seconds
        )
        await self.spool.start()
        self.pickup = Pickup(
            self.clock,
            str(self.folder),
            self.spool,
            self.router,
            hostname="mail.here.test",
            most_octets=MOST_OCTETS,
        )
        drop.make_folder(self.folder)

    async def tearDown(self):
        await self.pickup.stop()
        await self.spool.close()

    def put(self, *recipients, octets=OCTETS, sender=ANN, **more):
        return drop.put(self.folder, Dropped(sender, recipients, **more), octets)

    async def until(self, what):
        while not what():
            await deferLater(reactor, 0.005)

    async def taken(self):
        """Look, and wait until the folder holds nothing but what was set aside."""
        await self.pickup.start()
        await self.until(lambda: {p.name for p in self.folder.iterdir()} <= {BAD})

    async def test_what_was_dropped_before_the_start_is_queued(self):
        wishes = Wishes(ret="HDRS", priority=2)
        notify = Notify(frozenset({"NEVER"}))
        name = self.put(BOB, ANN, wishes=wishes, notify=notify)
        await self.taken()
        message = await self.spool.message(name)
        self.assertEqual((message.reverse_path, message.wishes), (ANN, wishes))
        self.assertEqual(message.login, f"uid {os.getuid()}")
        to_bob, to_ann = await self.spool.recipients(name)
        self.assertEqual((to_bob.address, to_bob.route), (BOB, Route("smtp")))
        self.assertEqual((to_ann.address, to_ann.route), (ANN, Route("mailbox")))
        self.assertEqual(to_bob.notify, notify)
        octets = await self.spool.content(message).read(0, 10_000)
        trace, _, rest = octets.partition(b";\r\n\t")
        uid = os.getuid()
        front = (
            f"Received: by mail.here.test (mailtwist, from uid {uid})\r\n\tid {name}"
        )
        self.assertEqual(trace.decode(), front)
        self.assertEqual(rest.partition(b"\r\n")[2], OCTETS)

    async def test_what_is_dropped_later_is_found_by_the_next_look(self):
        await self.taken()
        name = self.put(BOB, sender=None)
        while (self.folder / name).exists():
            self.clock.advance(1.0)
            await deferLater(reactor, 0.005)
        message = await self.spool.message(name)
        self.assertIsNone(message.reverse_path)

    async def test_an_unknown_recipient_bounces_and_the_others_get_it(self):
        nobody, full = Address("nobody", "here.test"), Address("full", "here.test")
        self.router.faults = {"nobody": NoSuchUser(), "full": OverQuota()}
        name = self.put(BOB, nobody, full)
        await self.taken()
        routes = [each.route for each in await self.spool.recipients(name)]
        self.assertEqual(
            routes,
            [
                Route("smtp"),
                Route("error", "5.1.1 No such user here"),
                Route("mailbox"),
            ],
        )

    async def test_it_waits_while_accounts_cannot_be_looked_up(self):
        self.router.faults = {"ann": AuthUnavailable()}
        name = self.put(ANN)
        await self.pickup.start()
        await self.until(lambda: self.pickup.waits(name))
        self.assertIsNone(await self.spool.message(name))
        self.router.faults = {}
        self.clock.advance(61.0)
        await self.until(lambda: not (self.folder / name).exists())
        self.assertIsNotNone(await self.spool.message(name))

    async def test_what_a_crash_left_behind_is_not_queued_twice(self):
        name = self.put(BOB)
        kept = (self.folder / name).read_bytes()
        await self.taken()
        await self.pickup.stop()
        (self.folder / name).write_bytes(kept)
        (self.folder / name).chmod(drop.WHOLE)
        await self.taken()
        self.assertEqual(len(await self.spool.due(9e9, 10)), 1)

    async def test_what_is_no_message_is_set_aside(self):
        secret = self.folder.parent / f"{self.folder.name}.secret"
        secret.write_bytes(b"{}")
        secret.chmod(0o440)
        names = [f"{number:032x}" for number in range(4)]
        (self.folder / names[0]).symlink_to(secret)
        os.link(secret, self.folder / names[1])
        (self.folder / names[2]).write_bytes(b"not JSON\nx")
        (self.folder / names[3]).write_bytes(b"{}\n" + b"x" * 2_000_000)
        (self.folder / "strange").write_bytes(b"x")
        for name in (*names[2:], "strange"):
            (self.folder / name).chmod(drop.WHOLE)
        await self.taken()
        aside = {path.name for path in (self.folder / BAD).iterdir()}
        self.assertEqual(aside, {*names, "strange"})
        self.assertEqual(await self.spool.due(9e9, 10), [])
        self.assertEqual(secret.read_bytes(), b"{}")

    async def test_what_is_being_written_is_left_alone(self):
        name = self.put(BOB)
        (self.folder / name).chmod(drop.WRITING)
        await self.pickup.start()
        for _ in range(3):
            self.clock.advance(1.0)
            await deferLater(reactor, 0.01)
        self.assertTrue((self.folder / name).exists())
        self.assertEqual(await self.spool.due(9e9, 10), [])

    async def test_a_folder_that_cannot_be_had_stops_nothing_else(self):
        blocked = Path(self.mktemp())
        blocked.write_text("a file")
        pickup = Pickup(
            self.clock,
            str(blocked),
            self.spool,
            self.router,
            hostname="mail.here.test",
            most_octets=MOST_OCTETS,
        )
        await Deferred.fromCoroutine(pickup.start())
        await pickup.stop()
