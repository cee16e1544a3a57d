import os

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import LocalRecipient, RemoteRecipient, Route, Target
from mailtwist.delivery.sorted import route_into, sorted_into
from mailtwist.directory.model import Account
from mailtwist.errors import BadAddress, MailError, NoSuchMessage, NoSuchUser
from mailtwist.queue.admin import ALL, Filter, QueueAdmin

from .rooms import BOB, LATER, OCTETS, World


class Router:
    """Finds what a test says."""

    def __init__(self, found):
        self.found = found

    async def resolve(self, address, **more):
        found = self.found
        if isinstance(found, MailError):
            raise found
        return found


class AdminTests(SynchronousTestCase):
    def setUp(self):
        self.world = world = World(self.mktemp(), first_retry_s=3000.0)
        self.addCleanup(world.close)
        world.wire.answer = lambda job: LATER
        world.queue()
        world.clock.advance(100.0)
        world.queue("Carol@x.test", "dave@y.test", sender=None)
        world.clock.advance(100.0)
        world.queue("eve@elsé.test", sender=Address("Ann", "there.test"))
        self.admin = QueueAdmin(world.folder, world.clock.seconds)
        self.addCleanup(self.admin.close)

    def listed(self, **which):
        return [e.message.queue_id for e in self.admin.listed(Filter(**which))]

    def test_filters(self):
        table = [
            ({}, ["m1", "m2", "m3"], "everything"),
            ({"queue_ids": ("m3", "m1", "mx")}, ["m1", "m3"], "by id"),
            ({"sender": "ann@here.test"}, ["m1"], "by sender"),
            ({"sender": "ann@THERE.test"}, ["m3"], "case does not count"),
            ({"sender": "@there.test"}, ["m3"], "by the sender's domain"),
            ({"sender": "<>"}, ["m2"], "reports"),
            ({"recipient": "carol@x.test"}, ["m2"], "any recipient"),
            ({"recipient": "@y.test"}, ["m2"], "any recipient's domain"),
            ({"recipient": "@xn--els-dma.test"}, ["m3"], "A-labels or U-labels"),
            ({"older_than_s": 100.0}, ["m1", "m2"], "at least that old"),
            ({"younger_than_s": 100.0}, ["m2", "m3"], "at most that old"),
            ({"reason": "grey"}, ["m1", "m2", "m3"], "a word of the reply"),
            ({"reason": "4.2.0"}, ["m1", "m2", "m3"], "the status"),
            ({"reason": "100%"}, [], "no pattern"),
            ({"held": True}, [], "held"),
            ({"sender": "<>", "recipient": "bob@else.test"}, [], "both must hold"),
        ]
        for which, wanted, why in table:
            self.assertEqual(self.listed(**which), wanted, why)
            self.assertEqual(self.admin.count(Filter(**which)), len(wanted), why)

    def test_a_filter_that_is_no_address_is_told(self):
        for text in ("a@b@c", "@", "@not a domain"):
            with self.assertRaises(BadAddress):
                self.listed(sender=text)

    def test_an_entry_and_its_content(self):
        entry = self.admin.entry("m2")
        self.assertEqual(entry.message.reverse_path, None)
        names = [str(each.address) for each in entry.recipients]
        self.assertEqual(names, ["Carol@x.test", "dave@y.test"])
        self.assertEqual(b"".join(self.admin.content("m2")), OCTETS)
        for ask in (self.admin.entry, lambda name: list(self.admin.content(name))):
            with self.assertRaises(NoSuchMessage):
                ask("mx")

    def test_hold_release_flush_and_remove_tell_how_many(self):
        self.assertEqual(self.admin.hold(Filter(sender="<>")), 1)
        self.assertEqual(self.listed(held=True), ["m2"])
        self.assertEqual(self.admin.release(), 3)
        self.assertEqual(self.listed(held=True), [])
        self.assertEqual(self.admin.flush(Filter(recipient="@y.test")), 1)
        due = [each.due_s for each in self.admin.entry("m2").recipients]
        self.assertEqual(due, [self.world.clock.seconds()] * 2)
        self.assertEqual(self.admin.remove(Filter(older_than_s=100.0)), 2)
        self.assertEqual(self.listed(), ["m3"])
        self.assertEqual(self.admin.remove(Filter(queue_ids=("m1",))), 0)

    def requeue(self, found, which=ALL):
        return self.world.result(self.admin.requeue(Router(found), which))

    def test_requeue_routes_anew(self):
        members = (Target(Address("x", "z.test")), Target(BOB, Route("discard")))
        first = Filter(queue_ids=("m1",))
        self.assertEqual(self.requeue(RemoteRecipient(BOB, members), first), 1)
        there = self.admin.entry("m1").recipients
        self.assertEqual([str(r.address) for r in there], ["x@z.test", str(BOB)])
        self.assertEqual([r.route.transport for r in there], ["smtp", "discard"])
        self.assertEqual([(r.attempts, r.original) for r in there], [(0, BOB)] * 2)

    def test_requeue_finds_what_is_here_now_or_nowhere(self):
        here = LocalRecipient(BOB, Account("bob", "/bob"))
        table = [
            (here, "mailbox", 0, "it has a mailbox now"),
            (NoSuchUser(), "error", 0, "it will bounce"),
            (MailError(), "error", 0, "what cannot be told stays as it is"),
        ]
        for found, transport, attempts, why in table:
            self.requeue(found, Filter(queue_ids=("m1",)))
            (there,) = self.admin.entry("m1").recipients
            self.assertEqual((there.route.transport), transport, why)
            self.assertEqual(there.attempts, attempts, why)
            if transport == "mailbox":
                self.admin.close()
                self.setUp()

    def test_requeue_leaves_what_a_script_sorted_where_it_is(self):
        way = route_into(("Lists", "Python"), frozenset({"x"}))
        recipient = RemoteRecipient(BOB, (Target(BOB, way),))
        self.world.queue(recipient, held=True)
        here = LocalRecipient(BOB, Account("bob", "/bob"))
        self.requeue(here, Filter(queue_ids=("m4",)))
        (there,) = self.admin.entry("m4").recipients
        self.assertEqual((there.route, there.attempts), (way, 0))
        found = sorted_into(here, there.route.next_hop)  # as it is delivered then
        self.assertEqual((found.path, found.sorted), (("Lists", "Python"), True))

    def test_requeue_leaves_a_filter_in_place(self):
        way = Route("lmtp", "unix:/run/filter")
        self.world.queue(filter=way)
        here = LocalRecipient(BOB, Account("bob", "/bob"))
        self.requeue(here, Filter(queue_ids=("m4",)))
        (there,) = self.admin.entry("m4").recipients
        self.assertEqual((there.route, there.address, there.attempts), (way, BOB, 0))

    def test_a_queue_that_was_never_used_is_empty(self):
        admin = QueueAdmin(os.path.abspath(self.mktemp()), self.world.clock.seconds)
        self.assertEqual((list(admin.listed()), admin.remove()), ([], 0))
        with self.assertRaises(NoSuchMessage):
            admin.entry("m1")
        admin.close()
