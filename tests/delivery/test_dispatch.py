from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.delivery.dispatch import Dispatch
from mailtwist.delivery.model import (
    Envelope,
    LocalRecipient,
    Notify,
    RemoteRecipient,
    Route,
    Target,
    Wishes,
)
from mailtwist.delivery.spare import KEPT_OCTETS
from mailtwist.directory.model import Account
from mailtwist.errors import MailError, NoRoute, NoSuchUser, OverQuota, StorageFull
from mailtwist.interfaces import IDelivery, IMessageSink, ISpoolSink

SUCCESS = Notify(frozenset({"SUCCESS"}))


@implementer(ISpoolSink)
class Sink:
    """Keeps what it is given; commits with what the test says."""

    def __init__(self, envelope, answer):
        self.envelope, self.octets, self.taken = envelope, 0, b""
        self.wait = None
        self.aborted = self.committed = False
        self.answer = answer

    def write(self, octets):
        self.octets += len(octets)
        self.taken += octets
        return self.wait

    def address(self, recipients):
        self.envelope = Envelope("x", "s", None, recipients)

    async def commit(self):
        self.committed = True
        answer = self.answer
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return [None] * len(self.envelope.recipients) if answer is None else answer

    def abort(self):
        self.aborted = True


@implementer(IDelivery)
class Place:
    """Makes sinks; `answers` are what the next ones commit with."""

    def __init__(self):
        self.sinks, self.answers = [], []

    def begin(self, envelope):
        answer = self.answers.pop(0) if self.answers else None
        self.sinks.append(Sink(envelope, answer))
        return self.sinks[-1]

    @property
    def queued(self):
        """{address: route} of the last sink."""
        found = {}
        for recipient in self.sinks[-1].envelope.recipients:
            (target,) = recipient.targets
            found[recipient.address.local_part] = target.route
        return found


def local(name, **more):
    account = Account(name, f"/{name}")
    return LocalRecipient(Address(name, "example.test"), account, **more)


def remote(name):
    return RemoteRecipient(Address(name, "else.test"))


class DispatchTestCase(SynchronousTestCase):
    def setUp(self):
        self.local, self.queue = Place(), Place()

    def begin(self, *recipients, queue=True, **more):
        place = self.queue if queue else None
        dispatch = Dispatch(self.local, place, now=lambda: 1000.0)
        verifyObject(IDelivery, dispatch)
        return dispatch.begin(Envelope("m", "s", None, recipients, **more))

    def commit(self, sink):
        return Deferred.fromCoroutine(sink.commit())

    def verdicts(self, sink):
        return self.successResultOf(self.commit(sink))


class DispatchTests(DispatchTestCase):
    def test_one_recipient_or_none_here_costs_nothing(self):
        self.assertIs(self.begin(local("a")), self.local.sinks[0])
        self.assertIs(self.begin(remote("b"), remote("c")), self.queue.sinks[0])
        self.assertEqual((len(self.local.sinks), len(self.queue.sinks)), (1, 1))

    def test_what_policy_holds_or_filters_goes_through_the_queue(self):
        for more in ({"held": True}, {"filter": Route("smtp", "[127.0.0.1]:10025")}):
            sink = self.begin(local("a"), remote("b"), **more)
            self.assertIs(sink, self.queue.sinks[-1])
            here, there = sink.envelope.recipients
            self.assertEqual(here.targets[0].route, Route("mailbox"))
            self.assertEqual(there, remote("b"))
        self.assertEqual(self.local.sinks, [])

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
        self.assertEqual(self.verdicts(sink), [None, None, None])
        self.assertEqual(len(self.queue.sinks), 1)

    def test_nothing_is_delivered_before_the_queue_has_its_part(self):
        self.queue.answers = [waiting := Deferred()]
        sink = self.begin(local("a"), remote("b"))
        done = self.commit(sink)
        self.assertFalse(self.local.sinks[0].committed)
        waiting.callback([None])
        self.assertEqual(self.successResultOf(done), [None, None])
        self.assertTrue(self.local.sinks[0].committed)

    def test_a_queue_that_fails_leaves_the_message_with_the_client(self):
        for broken, kind in [(StorageFull(), StorageFull), (KeyError(), MailError)]:
            self.queue.answers = [broken]
            sink = self.begin(local("a"), remote("b"), remote("c"))
            verdicts = self.verdicts(sink)
            self.assertEqual([type(v) for v in verdicts], [kind] * 3)
            self.assertTrue(verdicts[1].temporary)
            self.assertFalse(self.local.sinks[-1].committed)
            self.assertTrue(self.local.sinks[-1].aborted)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_without_a_queue_there_is_no_way_out(self):
        sink = self.begin(remote("b"), local("a"), queue=False)
        verdicts = self.verdicts(sink)
        self.assertIsInstance(verdicts[0], NoRoute)
        self.assertIsNone(verdicts[1])
        (verdict,) = self.verdicts(self.begin(remote("b"), queue=False))
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
        sink = self.begin(local("a"), remote("b"))
        sink.write(b"x" * (KEPT_OCTETS + 1))
        sink.abort()
        self.assertTrue(self.local.sinks[0].aborted)
        self.assertEqual([each.aborted for each in self.queue.sinks], [True, True])

    def test_mail_for_later_waits_in_the_queue_whoever_it_is_for(self):
        wishes = Wishes(hold_until_s=1001.0)
        sink = self.begin(local("a"), remote("b"), wishes=wishes)
        self.assertIs(sink, self.queue.sinks[0])
        here, there = sink.envelope.recipients
        self.assertEqual(here.targets, (Target(here.address, Route("mailbox")),))
        self.assertEqual(there, remote("b"))
        past = self.begin(local("a"), wishes=Wishes(hold_until_s=999.0))
        self.assertIs(past, self.local.sinks[0])

    def test_binary_mail_goes_through_the_queue_whoever_it_is_for(self):
        self.begin(local("a"), wishes=Wishes("BINARYMIME"))
        self.assertEqual(self.queue.queued, {"a": Route("mailbox")})
        self.begin(local("a"), wishes=Wishes("BINARYMIME"), queue=False)
        self.assertEqual(len(self.local.sinks), 1)


class LeftOverTests(DispatchTestCase):
    """Some have their copy, so that the client hears 250; the rest is ours."""

    def test_a_temporary_failure_is_tried_again_and_a_permanent_one_reported(self):
        self.local.answers = [[None, OverQuota(), NoSuchUser()]]
        sink = self.begin(local("a"), local("b"), local("c"), trace=b"Received: x\r\n")
        sink.write(b"hello")
        self.assertEqual(self.verdicts(sink), [None, None, None])
        self.assertEqual(
            self.queue.queued,
            {"b": Route("mailbox"), "c": Route("error", "5.1.1 No such user here")},
        )
        self.assertEqual(self.queue.sinks[0].taken, b"hello")

    def test_a_copy_in_the_queue_counts_as_taken(self):
        self.local.answers = [[OverQuota()]]
        sink = self.begin(local("a"), remote("b"))
        self.assertEqual(self.verdicts(sink), [None, None])
        self.assertEqual(self.queue.queued, {"a": Route("mailbox")})

    def test_a_large_message_is_kept_by_the_queue(self):
        self.local.answers = [[None, OverQuota()]]
        sink = self.begin(local("a"), local("b"))
        octets = b"x" * KEPT_OCTETS
        sink.write(octets)
        self.assertEqual(self.queue.sinks, [])
        sink.write(b"y")
        sink.write(b"z")
        self.assertEqual(self.queue.sinks[0].taken, octets + b"yz")
        self.assertEqual(self.verdicts(sink), [None, None])
        self.assertEqual(self.queue.queued, {"b": Route("mailbox")})

    def test_what_is_kept_is_forgotten_when_all_is_well(self):
        sink = self.begin(local("a"), local("b"))
        sink.write(b"x" * (KEPT_OCTETS + 1))
        self.assertEqual(self.verdicts(sink), [None, None])
        (kept,) = self.queue.sinks
        self.assertEqual((kept.aborted, kept.committed), (True, False))

    def test_if_nobody_has_it_the_client_keeps_it(self):
        full, nobody = OverQuota(), NoSuchUser()
        self.local.answers = [[full, nobody]]
        sink = self.begin(local("a"), local("b"))
        self.assertEqual(self.verdicts(sink), [full, nobody])
        self.assertEqual(self.queue.sinks, [])

    def test_if_the_rest_cannot_be_queued_the_client_is_to_try_again(self):
        self.local.answers = [[None, OverQuota()]]
        self.queue.answers = [[full := StorageFull()]]
        sink = self.begin(local("a"), local("b"))
        self.assertEqual(self.verdicts(sink), [full, full])

    def test_a_client_that_hears_of_each_is_told_of_each(self):
        self.local.answers = [[None, full := OverQuota()]]
        sink = self.begin(local("a"), local("b"), one_reply=False)
        self.assertIs(sink, self.local.sinks[0])
        self.assertEqual(self.verdicts(sink), [None, full])
        self.local.answers = [[full]]
        sink = self.begin(local("a"), remote("b"), one_reply=False)
        self.assertEqual(self.verdicts(sink), [full, None])
        self.queue.answers = [[full]]
        sink = self.begin(local("a"), remote("b"), one_reply=False)
        self.assertEqual(self.verdicts(sink), [None, full])

    def test_a_success_is_reported_where_that_was_asked(self):
        sink = self.begin(local("a", notify=SUCCESS))
        sink.write(b"hello")
        self.assertEqual(self.verdicts(sink), [None])
        self.assertEqual(self.queue.queued, {"a": Route("done", "delivered")})
        self.assertEqual(self.queue.sinks[0].envelope.recipients[0].notify, SUCCESS)
        self.local.answers = [[full := OverQuota()]]
        sink = self.begin(local("a", notify=SUCCESS))
        self.assertEqual(self.verdicts(sink), [full])

    def test_a_report_that_cannot_be_queued_undoes_no_delivery(self):
        self.queue.answers = [[StorageFull()]]
        sink = self.begin(local("a", notify=SUCCESS))
        self.assertEqual(self.verdicts(sink), [None])
