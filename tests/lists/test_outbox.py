from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.delivery.model import LocalRecipient, Route
from mailtwist.directory.model import Account
from mailtwist.errors import MailError, StorageFull
from mailtwist.interfaces import IMailingLists, ITransport
from mailtwist.lists.names import ListNames
from mailtwist.lists.outbox import Outbox
from mailtwist.lists.transport import ListTransport
from mailtwist.queue.model import Job, QueuedMessage, QueuedRecipient

from .rooms import URL, Anywhere, Office
from .samples import post


class Queue:
    """A spool that keeps what was committed; `fault` is raised next time."""

    def __init__(self):
        self.fault, self.memory, self.envelopes = None, set(), []
        self.octets, self.commits, self.most = [], 0, 99

    def begin(self, envelope):
        return Sink(envelope)

    async def remembered(self, account, keys):
        return [key for key in keys if key in self.memory]

    async def commit_all(self, sinks, memories=()):
        if self.fault is not None or self.commits >= self.most:
            raise self.fault or StorageFull()
        self.commits += 1
        self.octets += [sink.octets for sink in sinks]
        self.envelopes += [sink.envelope for sink in sinks]
        self.memory.update(memory.key for memory in memories)


class Sink:
    def __init__(self, envelope):
        self.envelope = envelope

    def write(self, octets):
        self.octets = octets

    def abort(self):
        """Nothing is kept."""


class OutboxTests(SynchronousTestCase):
    def setUp(self):
        self.office = Office(self.mktemp())
        self.addCleanup(self.office.close)
        self.queue, self.router = Queue(), Anywhere()
        self.outbox = Outbox(
            self.office.store,
            self.queue,
            self.router,
            "mail.test",
            lambda: succeed(None),
        )
        self.office.join("ann@a.test", "bob@b.test")

    def test_a_post_is_one_message_with_a_sender_for_each_member(self):
        self.office.take("", post())
        self.outbox.wake()
        (envelope,) = self.queue.envelopes
        targets = [one.targets[0] for one in envelope.recipients]
        self.assertEqual(
            [(str(one.address), one.route.transport, one.sender) for one in targets],
            [
                ("ann@a.test", "smtp", "dev-bounces+ann=a.test@lists.test"),
                ("bob@b.test", "smtp", "dev-bounces+bob=b.test@lists.test"),
                ("dev-archive@lists.test", "list", ""),
            ],
        )
        self.assertIn(b"mailing list", envelope.trace)
        self.assertEqual(self.office.sent(), [])

    def test_what_cannot_go_now_goes_later(self):
        self.office.take("", post())
        self.queue.fault = StorageFull()
        self.outbox.wake()
        self.queue.fault, self.router.down = None, True
        self.outbox.wake()
        self.assertEqual(self.queue.envelopes, [])
        self.router.down = False
        self.outbox.wake()
        self.assertEqual(len(self.queue.envelopes), 1)

    def test_what_was_queued_before_a_crash_is_not_queued_again(self):
        self.office.take("", post())
        write = self.office.store.write
        self.office.store.write = lambda work: (_ for _ in ()).throw(MailError())
        self.outbox.wake()
        self.office.store.write = write
        self.outbox.wake()
        self.assertEqual(len(self.queue.envelopes), 1)
        self.assertEqual(self.office.sent(), [])

    def test_copies_with_links_go_in_parts_and_each_once(self):
        office = Office(self.mktemp(), URL, one_click=True)
        self.addCleanup(office.close)
        people = [f"p{number:03}@a.test" for number in range(120)]
        office.join(*people)
        outbox = Outbox(
            office.store, self.queue, self.router, "mail.test", lambda: succeed(None)
        )
        office.take("", post(author="p001@a.test"))
        self.queue.most = 2
        outbox.wake()
        self.assertEqual(len(self.queue.envelopes), 100)
        self.queue.most = 99
        outbox.wake()
        sent = [str(e.recipients[0].address) for e in self.queue.envelopes]
        self.assertEqual(sent, [*people, "dev-archive@lists.test"])
        self.assertEqual(len({e.message_id for e in self.queue.envelopes}), 121)
        first = [octets.partition(b"\r\n")[0] for octets in self.queue.octets]
        self.assertEqual(len(set(first)), 121)

    def test_a_member_here_gets_it_in_its_mailbox(self):
        async def resolve(address, **more):
            return LocalRecipient(address, Account("x", "/x"))

        self.router.resolve = resolve
        self.office.take("", post())
        self.outbox.wake()
        target = self.queue.envelopes[0].recipients[0].targets[0]
        self.assertEqual(target.route, Route("mailbox"))
        self.assertEqual(target.sender, "dev-bounces+ann=a.test@lists.test")


class Octets:
    def __init__(self, octets):
        self.octets, self._octets = len(octets), octets

    async def read(self, start, count):
        return self._octets[start : start + count]


class TransportTests(SynchronousTestCase):
    def attempt(self, office, octets, *addresses):
        transport = ListTransport(office.desk, None)
        verifyObject(ITransport, transport)
        route, path = Route("list"), Address("ann", "a.test")
        recipients = tuple(
            QueuedRecipient(number, address, route, address)
            for number, address in enumerate(addresses, 1)
        )
        message = QueuedMessage("q", path, len(octets), 0.0, 1.0)
        job = Job(message, recipients, path, route)
        results = []
        from twisted.internet.defer import Deferred

        attempt = transport.attempt(job, Octets(octets))
        Deferred.fromCoroutine(attempt).addBoth(results.append)
        return results[0]

    def test_each_recipient_has_its_own_outcome(self):
        office = Office(self.mktemp(), strangers="reject")
        self.addCleanup(office.close)
        outcomes = self.attempt(
            office,
            post(),
            Address("dev-help", "lists.test"),
            Address("dev", "lists.test"),
            Address("gone", "lists.test"),
        )
        statuses = [one.fault and one.fault.status for one in outcomes]
        self.assertEqual(statuses, [None, "5.7.1", "5.1.1"])

    def test_a_fault_of_ours_is_temporary(self):
        office = Office(self.mktemp())
        office.close()

        async def broken(*arguments):
            raise ZeroDivisionError

        office.desk.take = broken
        (outcome,) = self.attempt(office, post(), Address("dev", "lists.test"))
        self.assertTrue(outcome.fault.temporary)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class NameTests(SynchronousTestCase):
    def serves(self, names, local_part, domain="lists.test"):
        from .rooms import now

        return now(names.serves(Address(local_part, domain)))

    def test_what_is_a_list_s(self):
        path = self.mktemp()
        office = Office(path)
        self.addCleanup(office.close)
        names = ListNames(office.store, path)
        verifyObject(IMailingLists, names)
        for local_part, served in (
            ("dev", True),
            ("DEV-Request", True),
            ("dev-bounces+x=y.test", True),
            ("owner-dev", True),
            ("dev-archive", False),  # posts alone go there
            ("dev+detail", False),
            ("other", False),
        ):
            self.assertEqual(self.serves(names, local_part), served, local_part)
        self.assertFalse(self.serves(names, "dev", "other.test"))

    def test_changes_are_seen_at_once_and_nothing_is_asked_without(self):
        path = self.mktemp()
        office = Office(path)
        self.addCleanup(office.close)
        names = ListNames(office.store, path)
        self.assertTrue(self.serves(names, "dev"))
        read = office.store.read
        office.store.read = lambda work: self.fail("asked again")
        self.assertTrue(self.serves(names, "dev"))
        office.store.read = read
        office.did(office.store.write(lambda c: c.execute("DELETE FROM list")))
        self.assertFalse(self.serves(names, "dev"))
