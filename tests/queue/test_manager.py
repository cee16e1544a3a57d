from collections import Counter

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.delivery.model import (
    DeliverBy,
    Notify,
    RemoteRecipient,
    Route,
    Target,
    Wishes,
)
from mailtwist.errors import DnsUnavailable, StorageFull
from mailtwist.interfaces import ISpool
from mailtwist.queue.admin import Filter, QueueAdmin
from mailtwist.queue.ends import DoneTransport, ErrorTransport
from mailtwist.queue.model import Outcome

from .rooms import ANN, BOB, DEAD, LATER, NEVER, OCTETS, SENT, START_S, World

HOUR_S, DAY_S = 3600.0, 86400.0


class ManagerTestCase(SynchronousTestCase):
    def world(self, **config):
        world = World(self.mktemp(), **config)
        self.addCleanup(world.close)
        return world


class FirstAttemptTests(ManagerTestCase):
    def test_a_new_message_is_sent_at_once_and_gone(self):
        world = self.world()
        verifyObject(ISpool, world.spool)
        world.queue(trace=b"Received: here\r\n")
        self.assertEqual(world.wire.attempts, [(0.0, "m1", ["bob@else.test"])])
        self.assertEqual(world.wire.octets, [b"Received: here\r\n" + OCTETS])
        self.assertEqual((world.count(), world.reports.told), (0, {}))

    def test_what_a_crash_left_is_sent_after_the_start(self):
        world = self.world()
        world.wire.answer = lambda job: Deferred()
        world.queue()
        world.queue()
        world.wire.answer = lambda job: SENT
        world.restart()
        self.assertEqual(world.wire.ids, ["m1", "m2", "m1", "m2"])
        self.assertEqual(world.count(), 0)

    def test_recipients_of_one_domain_share_a_transaction(self):
        world = self.world(recipients=2)
        world.queue("a@x.test", "b@y.test", "c@x.test", "d@x.test")
        tried = [addresses for _, _, addresses in world.wire.attempts]
        self.assertEqual(tried, [["a@x.test", "c@x.test"], ["b@y.test"], ["d@x.test"]])

    def test_a_recipient_twice_gets_it_once(self):
        world = self.world()
        target = Target(BOB)
        world.queue(
            RemoteRecipient(BOB),
            RemoteRecipient(Address("list", "here.test"), (target, target)),
        )
        self.assertEqual(world.wire.attempts[0][2], ["bob@else.test"])
        self.assertEqual(len(world.wire.attempts), 1)

    def test_mail_that_comes_held_waits_until_it_is_released(self):
        world = self.world()
        world.queue(held=True)
        world.advance(HOUR_S)
        self.assertEqual(world.wire.attempts, [])
        admin = QueueAdmin(world.folder, world.clock.seconds)
        self.addCleanup(admin.close)
        self.assertEqual(admin.release(Filter(held=True)), 1)
        world.advance(5.0, 1.0)
        self.assertEqual(world.wire.ids, ["m1"])

    def test_a_release_in_the_first_moment_after_the_start_is_noticed(self):
        world = self.world()
        world.queue(held=True)
        world.restart()
        admin = QueueAdmin(world.folder, world.clock.seconds)
        self.addCleanup(admin.close)
        admin.release()
        world.advance(5.0, 1.0)
        self.assertEqual(world.wire.ids, ["m1"])

    def test_a_filter_takes_every_recipient_unexpanded_also_after_a_crash(self):
        world = self.world()
        world.wire.answer = lambda job: Deferred()
        members = tuple(Target(Address(n, "z.test")) for n in "xy")
        some = RemoteRecipient(BOB, members, Notify(frozenset({"SUCCESS"})))
        way = Route("smtp", "[127.0.0.1]:10025")
        world.queue(some, "carol@y.test", filter=way)
        world.restart()
        tried = [addresses for _, _, addresses in world.wire.attempts]
        self.assertEqual(tried, [[str(BOB), "carol@y.test"]] * 2)
        self.assertEqual([each.route for each in world.waiting("m1")], [way] * 2)

    def test_mail_for_later_waits_until_then(self):
        world = self.world()
        world.queue(wishes=Wishes(hold_until_s=START_S + 7200))
        world.advance(7199.0)
        self.assertEqual(world.wire.attempts, [])
        world.advance(2.0, step=1.0)
        self.assertEqual(len(world.wire.attempts), 1)


class RetryTests(ManagerTestCase):
    def test_five_days_of_a_host_that_says_later(self):
        world = self.world()
        world.wire.answer = lambda job: LATER
        world.queue()
        world.advance(6 * DAY_S, step=30.0)
        times = world.wire.times
        gaps = [round(b - a) for a, b in zip(times, times[1:], strict=False)]
        for gap, wanted in zip(gaps, [300, 600, 1200, 2400, 4800], strict=False):
            self.assertTrue(wanted <= gap <= wanted + 60, gaps)
        self.assertTrue(5 * DAY_S <= times[-1] < 5 * DAY_S + 120)
        ((address, outcome),) = world.reports.told["failed"]
        self.assertEqual((address, outcome.fault.status), ("bob@else.test", "5.4.7"))
        self.assertEqual(outcome.reply, "450 4.2.0 Greylisted")
        self.assertEqual(len(world.reports.told["delayed"]), 1)
        self.assertEqual(world.mailbox.ids, ["report1", "report2"])
        self.assertTrue(4 * HOUR_S <= world.mailbox.times[0] < 6 * HOUR_S)
        self.assertEqual(world.count(), 0)

    def test_each_recipient_has_its_own_fate(self):
        world = self.world()
        fates = {"a@x.test": SENT, "b@x.test": LATER, "c@x.test": NEVER}
        world.wire.answer = lambda job: [fates[str(r.address)] for r in job.recipients]
        world.queue("a@x.test", "b@x.test", "c@x.test")
        (left,) = world.waiting("m1")
        self.assertEqual((str(left.address), left.attempts), ("b@x.test", 1))
        self.assertEqual(left.reply, "450 4.2.0 Greylisted")
        self.assertEqual([a for a, _ in world.reports.told["failed"]], ["c@x.test"])
        fates["b@x.test"] = SENT
        world.advance(400.0, step=10.0)
        self.assertEqual(world.wire.attempts[1][2], ["b@x.test"])
        self.assertEqual(world.count(), 0)

    def test_what_is_due_while_another_part_of_its_message_is_tried_comes_next(self):
        world = self.world()
        slow, later = [], {"b@y.test", "c@z.test"}

        def answer(job):
            if str(job.recipients[0].address) in later:
                return LATER
            slow.append(Deferred())
            return slow[-1]

        world.wire.answer = answer
        world.queue("a@x.test", "b@y.test")
        world.advance(100.0, step=10.0)
        slow.pop().callback([LATER])  # due at 400 s, the other one at 300 s
        world.queue("c@z.test")  # brings a look at the queue at 400 s
        later.remove("b@y.test")
        world.advance(250.0, step=10.0)
        self.assertEqual(world.wire.attempts[-1][2], ["b@y.test"])
        world.advance(80.0, step=10.0)  # past 400 s, and nothing of it has ended
        tried = len(world.wire.attempts)
        self.assertEqual(world.wire.attempts[-1][2], ["c@z.test"])
        slow.pop().callback([SENT])
        later.add("a@x.test")
        world.advance(10.0, step=1.0)
        new = [addresses for _, _, addresses in world.wire.attempts[tried:]]
        self.assertEqual(new, [["a@x.test"]])

    def test_a_report_is_queued_with_the_end_of_its_recipient(self):
        world = self.world()
        world.wire.answer = lambda job: NEVER
        world.mailbox.answer = lambda job: Deferred()
        world.queue()
        world.mailbox.answer = lambda job: SENT
        world.restart()
        self.assertEqual(world.wire.ids, ["m1"])
        self.assertEqual(world.mailbox.ids, ["report1", "report1"])
        self.assertEqual(world.mailbox.attempts[0][2], [str(ANN)])

    def test_a_report_that_cannot_be_made_now_is_made_later_without_an_attempt(self):
        world = self.world()
        world.reports.kinds = {"failed", "succeeded"}
        answers = {"a@x.test": NEVER, "b@x.test": Outcome(action="delivered")}
        world.wire.answer = lambda job: [
            answers[str(r.address)] for r in job.recipients
        ]
        world.reports.fault = DnsUnavailable()
        world.transports |= {"error": ErrorTransport(), "done": DoneTransport()}
        world.queue("a@x.test", "b@x.test")
        self.assertEqual(len(world.waiting("m1")), 2)
        world.reports.fault = None
        world.advance(400.0, step=10.0)
        self.assertEqual(len(world.wire.attempts), 1)
        ((address, outcome),) = world.reports.told["failed"]
        self.assertEqual((address, outcome.fault.status), ("a@x.test", "5.1.1"))
        ((address, outcome),) = world.reports.told["succeeded"]
        self.assertEqual((address, outcome.action), ("b@x.test", "delivered"))
        self.assertEqual(world.waiting("m1"), [])

    def test_a_delay_notice_that_cannot_be_made_is_made_at_the_next_attempt(self):
        world = self.world(delay_notice_s=1.0)
        world.wire.answer = lambda job: LATER
        world.queue()
        world.reports.fault = DnsUnavailable()
        world.advance(400.0, step=10.0)
        self.assertEqual(len(world.wire.attempts), 2)
        world.reports.fault = None
        world.advance(2000.0, step=10.0)
        self.assertEqual(len(world.reports.told["delayed"]), 1)

    def test_a_deadline_of_mode_r_fails_at_the_deadline(self):
        world = self.world()
        world.wire.answer = lambda job: LATER
        by = DeliverBy(START_S + 1000, "R")
        world.queue(wishes=Wishes(deliver_by=by))
        world.advance(2000.0, step=1.0)
        self.assertEqual(len(world.wire.attempts), 3)
        self.assertLess(world.wire.times[-1], 1000.0)
        ((_, outcome),) = world.reports.told["failed"]
        self.assertEqual(outcome.fault.status, "5.4.7")

    def test_a_deadline_of_mode_n_tells_of_the_delay_and_goes_on(self):
        world = self.world()
        world.wire.answer = lambda job: LATER
        by = DeliverBy(START_S + 600, "N")
        world.queue(wishes=Wishes(deliver_by=by))
        world.advance(1000.0, step=1.0)
        self.assertEqual(len(world.reports.told["delayed"]), 1)
        world.advance(7200.0, step=10.0)
        self.assertEqual(len(world.reports.told["delayed"]), 1)
        self.assertEqual(len(world.waiting("m1")), 1)

    def test_faults_of_ours_never_bounce(self):
        answers = [
            lambda job: 1 / 0,
            lambda job: [],
        ]
        for answer in answers:
            world = self.world()
            world.wire.answer = answer
            world.queue()
            (left,) = world.waiting("m1")
            self.assertEqual((left.status, left.attempts), ("4.3.0", 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_mistake_in_judging_sends_nothing_twice_and_loses_nothing(self):
        world = self.world()
        fates = {"a@x.test": SENT, "b@x.test": NEVER}
        world.wire.answer = lambda job: [fates[str(r.address)] for r in job.recipients]
        world.reports.wanted = lambda *arguments: 1 / 0
        world.queue("a@x.test", "b@x.test")
        (left,) = world.waiting("m1")
        self.assertEqual(str(left.address), "b@x.test")
        del world.reports.wanted
        world.advance(400.0, step=10.0)
        self.assertEqual([a for _, _, a in world.wire.attempts[1:]], [["b@x.test"]])
        self.assertEqual(world.count(), 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_message_that_cannot_be_tried_harms_no_other(self):
        world = self.world()
        destination = world.wire.destination

        def broken(job):
            return 1 / 0 if job.message.queue_id == "m1" else destination(job)

        world.wire.destination = broken
        world.queue()
        world.queue()
        world.restart()
        self.assertEqual((world.wire.ids, world.count()), (["m2"], 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_a_way_that_is_not_there_waits(self):
        world = self.world()
        target = Target(BOB, Route("carrier-pigeon"))
        world.queue(RemoteRecipient(BOB, (target,)))
        self.assertEqual(world.waiting("m1")[0].status, "4.3.5")
        world.transports["carrier-pigeon"] = world.wire
        world.advance(400.0, step=10.0)
        self.assertEqual(world.count(), 0)

    def test_an_expansion_is_reported_once_and_its_members_are_not(self):
        world = self.world()
        world.reports.kinds = {"succeeded"}
        world.transports["done"] = DoneTransport()
        members = (Target(Address("a", "x.test")), Target(Address("b", "x.test")))
        notify = Notify(frozenset({"SUCCESS", "FAILURE"}))
        alias = Address("list", "here.test")
        world.wire.answer = lambda job: [
            Outcome(action="relayed") for _ in job.recipients
        ]
        asked = []
        wanted = world.reports.wanted

        def only_if_asked(message, told, kind):
            asked.append(told[0].notify.when)
            return wanted(message, told, kind) and "SUCCESS" in told[0].notify.when

        world.reports.wanted = only_if_asked
        world.queue(RemoteRecipient(alias, members, notify))
        ((address, outcome),) = world.reports.told["succeeded"]
        self.assertEqual((address, outcome.action), (str(alias), "expanded"))
        self.assertEqual(Counter(asked)[frozenset({"FAILURE"})], 2)


class PressureTests(ManagerTestCase):
    def test_a_dead_destination_costs_a_window_of_attempts_and_not_one_each(self):
        world = self.world(first_concurrency=5)
        timeouts = []

        def answer(job):
            if job.recipients[0].address.domain == "x.test":
                timeouts.append(Deferred())
                return timeouts[-1]
            return SENT

        world.wire.answer = answer
        for number in range(1000):
            world.queue(f"u{number}@x.test")
        self.assertEqual(len(timeouts), 5)
        world.queue("bob@else.test", sender=Address("x", "there.test"))
        self.assertEqual(world.wire.ids[-1], "m1001")
        world.advance(30.0)
        for each in timeouts[:5]:
            each.callback(DEAD)
        world.advance(5.0)
        self.assertEqual(len(world.wire.attempts), 6)
        self.assertEqual(world.waiting("m999")[0].status, "4.4.1")
        self.assertEqual(world.waiting("m999")[0].attempts, 1)
        world.queue("new@x.test")
        self.assertEqual(len(timeouts), 5)
        world.advance(400.0, step=10.0)
        self.assertEqual(len(timeouts), 6)
        world.wire.answer = lambda job: SENT
        timeouts[5].callback(SENT)
        world.advance(HOUR_S, step=30.0)
        self.assertEqual(world.count(), 0)

    def test_limits_for_one_destination_and_for_all(self):
        world = self.world(attempts=12, concurrency=8, first_concurrency=8)
        open_ = []

        def answer(job):
            open_.append((job.recipients[0].address.domain, Deferred()))
            return open_[-1][1]

        world.wire.answer = answer
        for number in range(60):
            world.queue(f"u{number}@x.test")
            world.queue(f"u{number}@y.test")
        seen = 0
        while open_:
            domains = Counter(domain for domain, _ in open_)
            self.assertLessEqual(max(domains.values()), 8)
            self.assertLessEqual(len(open_), 12)
            seen += 1
            open_.pop(0)[1].callback(SENT)
        self.assertEqual((seen, world.wire.most_running), (120, 12))

    def test_a_rate_keeps_time_between_messages(self):
        world = self.world(rate_s=10.0)
        for _ in range(4):
            world.queue()
        world.queue("a@x.test")
        world.advance(60.0, step=1.0)
        times = [at for at, name, _ in world.wire.attempts if name != "m5"]
        self.assertEqual(times, [0.0, 10.0, 20.0, 30.0])
        self.assertEqual(world.wire.attempts[1][:2], (0.0, "m5"))

    def test_urgent_mail_goes_first(self):
        world = self.world(attempts=1)
        first = Deferred()
        world.wire.answer = lambda job: first if job.message.queue_id == "m1" else SENT
        world.queue()
        for priority in (0, -4, 6):
            world.queue(wishes=Wishes(priority=priority))
        first.callback(SENT)
        self.assertEqual(world.wire.ids, ["m1", "m4", "m2", "m3"])


class StopTests(ManagerTestCase):
    def test_attempts_may_end_and_nothing_new_begins(self):
        world = self.world(attempts=1)
        running = Deferred()
        world.wire.answer = lambda job: running
        world.queue()
        world.queue()
        stopped = Deferred.fromCoroutine(world.manager.stop(10.0))
        self.assertNoResult(stopped)
        running.callback(SENT)
        self.successResultOf(stopped)
        self.assertEqual(world.wire.ids, ["m1"])
        self.assertEqual((world.waiting("m1"), len(world.waiting("m2"))), ([], 1))
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_what_does_not_end_in_time_is_abandoned_and_stays(self):
        world = self.world()
        world.wire.answer = lambda job: Deferred()
        world.queue()
        stopped = Deferred.fromCoroutine(world.manager.stop(10.0))
        world.advance(11.0, step=1.0)
        self.successResultOf(stopped)
        (left,) = world.waiting("m1")
        self.assertEqual((left.attempts, world.wire.running), (0, 0))

    def test_a_spool_that_is_full_does_not_make_mail_go_out_twice(self):
        world = self.world()
        settle, faults = world.spool.settle, [StorageFull(), StorageFull()]

        async def full_for_a_while(*arguments):
            if faults:
                raise faults.pop()
            return await settle(*arguments)

        world.spool.settle = full_for_a_while
        world.queue()
        self.assertEqual(len(world.waiting("m1")), 1)
        world.advance(60.0, step=1.0)
        self.assertEqual((world.wire.ids, world.count()), (["m1"], 0))

    def test_a_spool_that_cannot_be_read_is_read_later(self):
        world = self.world()
        due, faults = world.spool.due, [StorageFull()]

        async def broken_once(*arguments):
            if faults:
                raise faults.pop()
            return await due(*arguments)

        world.wire.answer = lambda job: LATER
        world.queue()
        world.spool.due = broken_once
        world.wire.answer = lambda job: SENT
        world.advance(400.0, step=10.0)
        self.assertEqual((faults, world.count()), ([], 0))


class ByHandTests(ManagerTestCase):
    def admin(self, world):
        admin = QueueAdmin(world.folder, world.clock.seconds)
        self.addCleanup(admin.close)
        return admin

    def test_a_flush_tries_what_waits_for_a_domain(self):
        world = self.world()
        world.wire.answer = lambda job: DEAD
        for _ in range(8):
            world.queue("a@x.test")
        world.queue("b@y.test")
        world.wire.answer = lambda job: SENT
        world.advance(10.0)
        before = len(world.wire.attempts)
        world.result(world.manager.flush("x.test"))
        self.assertEqual(len(world.wire.attempts), before + 8)
        self.assertEqual(world.count(), 1)
        world.result(world.manager.flush())
        self.assertEqual(world.count(), 0)

    def test_what_a_command_holds_is_not_begun(self):
        world = self.world(attempts=1)
        running = Deferred()
        world.wire.answer = lambda job: running
        world.queue()
        world.queue()
        world.advance(2.0, step=1.0)
        admin = self.admin(world)
        self.assertEqual(admin.hold(Filter(queue_ids=("m2",))), 1)
        world.advance(2.0, step=1.0)
        running.callback(SENT)
        world.advance(HOUR_S)
        self.assertEqual((world.wire.ids, world.count()), (["m1"], 1))
        admin.release()
        world.wire.answer = lambda job: SENT
        world.advance(2.0, step=1.0)
        self.assertEqual((world.wire.ids, world.count()), (["m1", "m2"], 0))

    def test_a_flush_by_command_counts_for_a_destination_that_was_put_off(self):
        world = self.world()
        world.wire.answer = lambda job: DEAD
        for _ in range(6):
            world.queue("a@x.test")
        world.advance(2.0, step=1.0)
        world.wire.answer = lambda job: SENT
        self.assertEqual(self.admin(world).flush(), 6)
        world.advance(2.0, step=1.0)
        self.assertEqual(world.count(), 0)

    def test_what_is_removed_during_an_attempt_stays_removed(self):
        world = self.world()
        running = Deferred()
        world.wire.answer = lambda job: running
        world.queue()
        self.assertEqual(self.admin(world).remove(), 1)
        world.advance(2.0, step=1.0)
        running.callback(LATER)
        self.assertEqual(world.count(), 0)
