from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.queueing import Queue
from mailtwist.errors import DnsUnavailable, MailError, NoSuchUser, OverQuota
from mailtwist.queue.destination import Destination, unreachable
from mailtwist.queue.model import Outcome

SENT = [Outcome(host="mx")]
DEAD = [Outcome(MailError("Cannot connect", status="4.4.1"))]
PAUSE_S = 300.0


class UnreachableTests(SynchronousTestCase):
    TABLE = [
        (SENT, False, "it took the mail"),
        (DEAD, True, "no connection"),
        ([Outcome(DnsUnavailable())], True, "the domain cannot be looked up"),
        ([Outcome(OverQuota(), "mx", "452 4.2.2 Full")], False, "one mailbox is full"),
        ([Outcome(MailError(), "mx", "421 4.3.2 Busy")], True, "the host says go away"),
        ([Outcome(NoSuchUser(), "mx", "550 No")], False, "permanent: it did answer"),
        ([*DEAD, *SENT], False, "one recipient was taken"),
        ([Outcome(MailError())], False, "a fault of ours says nothing of the host"),
        (
            [Outcome(MailError("x", status="4.4.2"), "mx", "451 4.4.2 Bad day")],
            False,
            "the host's own words about one transaction",
        ),
        ([], False, "nothing was tried"),
    ]

    def test_what_counts_against_the_destination(self):
        for outcomes, counts, reason in self.TABLE:
            self.assertEqual(unreachable(outcomes) is not None, counts, reason)


class WindowTests(SynchronousTestCase):
    def setUp(self):
        self.destination = Destination(Queue(concurrency=20, first_concurrency=5))

    def attempt(self, outcomes, now_s=0.0):
        self.destination.began(now_s)
        return self.destination.ended(outcomes, now_s, PAUSE_S)

    def test_it_grows_with_success_up_to_the_limit(self):
        self.assertEqual(self.destination.window, 5)
        for _ in range(12):
            self.attempt(SENT)
        self.assertEqual(self.destination.window, 7)
        for _ in range(1000):
            self.attempt(SENT)
        self.assertEqual(self.destination.window, 20)

    def test_it_shrinks_with_each_failure_and_one_success_is_no_pardon_for_all(self):
        self.attempt(DEAD)
        self.attempt(DEAD)
        self.assertEqual(self.destination.window, 3)
        self.attempt(SENT)
        self.assertEqual(self.destination.window, 3)

    def test_no_more_than_the_window_at_once(self):
        for _ in range(5):
            self.assertEqual(self.destination.ready_at(7.0), 7.0)
            self.destination.began(7.0)
        self.assertIsNone(self.destination.ready_at(7.0))
        self.destination.abandoned()
        self.assertEqual(self.destination.ready_at(7.0), 7.0)

    def test_a_window_of_failures_puts_it_off_as_a_whole(self):
        for _ in range(5):
            self.destination.began(0.0)
        ends = [self.destination.ended(DEAD, 30.0, PAUSE_S) for _ in range(5)]
        self.assertEqual(ends.count(True), 1)
        self.assertEqual(self.destination.put_off(31.0), DEAD[0])
        self.assertEqual(self.destination.put_off(329.0), DEAD[0])
        self.assertIsNone(self.destination.put_off(330.0))

    def test_after_the_pause_one_goes_first(self):
        self.put_off()
        now_s = PAUSE_S
        self.destination.began(now_s)
        self.assertIsNone(self.destination.ready_at(now_s))
        self.assertTrue(self.destination.ended(DEAD, now_s, PAUSE_S))
        self.assertEqual(self.destination.pauses, 2)
        self.attempt(SENT, 2 * PAUSE_S)
        self.assertEqual(self.destination.pauses, 0)
        self.assertGreaterEqual(self.destination.window, 5)

    def put_off(self):
        while not self.attempt(DEAD):
            pass

    def test_revive_forgets_the_pause(self):
        self.put_off()
        self.destination.revive()
        self.assertIsNone(self.destination.put_off(1.0))

    def test_a_rate_sets_the_time_between_two(self):
        destination = Destination(Queue(rate_s=2.0))
        destination.began(10.0)
        self.assertEqual(destination.ready_at(11.0), 12.0)
        self.assertEqual(destination.ready_at(13.0), 13.0)

    @given(st.lists(st.sampled_from(["begin", "sent", "dead", "lost"]), max_size=200))
    def test_the_window_is_never_less_than_one_nor_over_the_limit(self, steps):
        destination = Destination(Queue(concurrency=8, first_concurrency=4))
        now_s = 0.0
        for step in steps:
            now_s += 10.0
            if step == "begin":
                if destination.ready_at(now_s) is not None:
                    destination.began(now_s)
            elif destination.running:
                if step == "lost":
                    destination.abandoned()
                else:
                    destination.ended(SENT if step == "sent" else DEAD, now_s, PAUSE_S)
            self.assertTrue(1 <= destination.window <= 8)
            self.assertTrue(0 <= destination.running <= 8)
