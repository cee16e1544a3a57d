from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.delivery.dispatch import Dispatch
from mailtwist.delivery.model import Envelope, LocalRecipient, RemoteRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import MailError, NoRoute, OverQuota, StorageFull
from mailtwist.interfaces import IDelivery, IMessageSink


@implementer(IMessageSink)
class Sink:
    """Keeps what it is given; commits with what the test says."""

    def __init__(self, envelope):
        self.envelope, self.octets, self.taken = envelope, 0, b""
        self.wait = None
        self.aborted = False
        self.answer = [None] * len(envelope.recipients)

    def write(self, octets):
        self.octets += len(octets)
        self.taken += octets
        return self.wait

    async def commit(self):
        if isinstance(self.answer, Deferred):
            return await self.answer
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def abort(self):
        self.aborted = True


@implementer(IDelivery)
class Place:
    def __init__(self):
        self.sinks = []

    def begin(self, envelope):
        self.sinks.append(Sink(envelope))
        return self.sinks[-1]


def local(name):
    return LocalRecipient(Address(name, "example.test"), Account(name, f"/{name}"))


def remote(name):
    return RemoteRecipient(Address(name, "else.test"))


class DispatchTests(SynchronousTestCase):
    def setUp(self):
        self.local, self.queue = Place(), Place()

    def begin(self, *recipients, queue=True):
        dispatch = Dispatch(self.local, self.queue if queue else None)
        verifyObject(IDelivery, dispatch)
        return dispatch.begin(Envelope("m", "s", None, recipients))

    def commit(self, sink):
        return Deferred.fromCoroutine(sink.commit())

    def test_one_kind_of_recipients_costs_nothing(self):
        self.assertIs(self.begin(local("a"), local("b")), self.local.sinks[0])
        self.assertIs(self.begin(remote("c")), self.queue.sinks[0])
        self.assertEqual((len(self.local.sinks), len(self.queue.sinks)), (1, 1))

    def test_both_kinds_get_the_octets_and_their_own_recipients(self):
        sink = self.begin(local("a"), remote("b"), local("c"))
        verifyObject(IMessageSink, sink)
        self.assertIsNone(sink.write(b"he"))
        sink.write(b"llo")
        self.assertEqual(sink.octets, 5)
        here, there = self.local.sinks[0], self.queue.sinks[0]
        self.assertEqual((here.taken, there.taken), (b"hello", b"hello"))
        self.assertEqual(here.envelope.recipients, (local("a"), local("c")))
        self.assertEqual(there.envelope.recipients, (remote("b"),))

    def test_verdicts_come_in_the_order_of_the_envelope(self):
        sink = self.begin(local("a"), remote("b"), local("c"), remote("d"))
        full, over = StorageFull(), OverQuota()
        self.local.sinks[0].answer = [None, over]
        self.queue.sinks[0].answer = [full, None]
        self.assertEqual(
            self.successResultOf(self.commit(sink)), [None, full, over, None]
        )

    def test_both_commits_run_at_the_same_time(self):
        sink = self.begin(local("a"), remote("b"))
        here = self.local.sinks[0].answer = Deferred()
        there = self.queue.sinks[0].answer = Deferred()
        done = self.commit(sink)
        there.callback([None])
        self.assertNoResult(done)
        here.callback([None])
        self.assertEqual(self.successResultOf(done), [None, None])

    def test_a_place_that_breaks_takes_only_its_own_recipients_with_it(self):
        for broken, kind in [(StorageFull(), StorageFull), (KeyError(), MailError)]:
            sink = self.begin(local("a"), remote("b"), remote("c"))
            self.queue.sinks[-1].answer = broken
            verdicts = self.successResultOf(self.commit(sink))
            self.assertIsNone(verdicts[0])
            self.assertEqual([type(v) for v in verdicts[1:]], [kind, kind])
            self.assertTrue(verdicts[1].temporary)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_without_a_queue_there_is_no_way_out(self):
        sink = self.begin(remote("b"), local("a"), queue=False)
        verdicts = self.successResultOf(self.commit(sink))
        self.assertIsInstance(verdicts[0], NoRoute)
        self.assertIsNone(verdicts[1])
        (verdict,) = self.successResultOf(
            self.commit(self.begin(remote("b"), queue=False))
        )
        self.assertIsInstance(verdict, NoRoute)

    def test_the_slowest_sets_the_pace(self):
        sink = self.begin(local("a"), remote("b"))
        here, there = self.local.sinks[0], self.queue.sinks[0]
        here.wait = Deferred()
        self.assertIs(sink.write(b"x"), here.wait)
        there.wait = Deferred()
        waited = sink.write(b"x")
        there.wait.callback(None)
        self.assertNoResult(waited)
        here.wait.callback(None)
        self.successResultOf(waited)

    def test_abort_reaches_everybody(self):
        self.begin(local("a"), remote("b")).abort()
        self.assertTrue(self.local.sinks[0].aborted and self.queue.sinks[0].aborted)
