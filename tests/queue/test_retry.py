from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.queueing import Queue
from mailtwist.delivery.model import TO_MX, DeliverBy, Wishes
from mailtwist.errors import MailError, OverQuota
from mailtwist.queue import retry
from mailtwist.queue.model import Outcome, QueuedMessage, QueuedRecipient

QUEUE = Queue()
BOB = Address("bob", "else.test")
FULL = Outcome(OverQuota(), "mx.else.test", "452 4.2.2 Full")


def message(**wishes):
    return QueuedMessage("m", None, 10, 1000.0, 9000.0, Wishes(**wishes))


def recipient(**more):
    return QueuedRecipient(1, BOB, TO_MX, BOB, **more)


class DelayTests(SynchronousTestCase):
    def test_delays_double_up_to_the_longest(self):
        delays = [retry.retry_after_s(QUEUE, n, 0.0) for n in range(1, 8)]
        self.assertEqual(delays, [300, 600, 1200, 2400, 4800, 4800, 4800])

    @given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True))
    def test_chance_adds_a_fifth_at_most_and_takes_nothing(self, attempts, chance):
        least = retry.retry_after_s(QUEUE, attempts, 0.0)
        delay = retry.retry_after_s(QUEUE, attempts, chance)
        self.assertTrue(least <= delay <= least * 1.2)
        self.assertTrue(QUEUE.first_retry_s <= least <= QUEUE.most_retry_s)


class FailureTests(SynchronousTestCase):
    def after(self, given, now_s, wait_s, outcome=FULL):
        return retry.after_failure(given, recipient(attempts=2), outcome, now_s, wait_s)

    def test_it_is_tried_again_and_remembers_why(self):
        later = self.after(message(), 2000.0, 300.0)
        self.assertEqual((later.attempts, later.due_s, later.last_s), (3, 2300, 2000))
        self.assertEqual(
            (later.status, later.reply, later.host),
            ("4.2.2", "452 4.2.2 Full", "mx.else.test"),
        )

    def test_a_fault_of_ours_is_told_in_its_own_words(self):
        later = self.after(message(), 2000.0, 300.0, Outcome(MailError("Busy")))
        self.assertEqual((later.status, later.reply, later.host), ("4.3.0", "Busy", ""))

    def test_the_last_attempt_is_made_at_expiry_and_none_after_it(self):
        self.assertEqual(self.after(message(), 8999.0, 300.0).due_s, 9000.0)
        self.assertIsNone(self.after(message(), 9000.0, 300.0))

    def test_a_deadline_of_mode_r_ends_it_earlier(self):
        by = message(deliver_by=DeliverBy(3000.0, "R"))
        self.assertEqual(self.after(by, 2900.0, 300.0).due_s, 3000.0)
        self.assertIsNone(self.after(by, 3000.0, 300.0))
        self.assertFalse(retry.over(by, 2999.0))
        self.assertTrue(retry.over(by, 3000.0))

    def test_a_deadline_of_mode_n_ends_nothing(self):
        by = message(deliver_by=DeliverBy(3000.0, "N"))
        self.assertEqual(self.after(by, 3000.0, 300.0).due_s, 3300.0)
        self.assertFalse(retry.over(by, 3000.0))

    def test_what_expired_says_why_it_could_not_be_delivered(self):
        outcome = retry.expired(recipient(), FULL)
        self.assertEqual(outcome.fault.status, "5.4.7")
        self.assertFalse(outcome.fault.temporary)
        self.assertIn("Mailbox full", outcome.fault.public)
        self.assertEqual(outcome.host, "mx.else.test")


class DelayNoticeTests(SynchronousTestCase):
    def told(self, given, now_s, config=QUEUE, **more):
        return retry.delay_is_told(config, given, recipient(**more), now_s)

    def test_after_four_hours_and_once(self):
        age = 4 * 3600
        self.assertFalse(self.told(message(), 1000.0 + age - 1))
        self.assertTrue(self.told(message(), 1000.0 + age))
        self.assertFalse(self.told(message(), 1000.0 + age, delay_told=True))

    def test_never_if_that_is_configured(self):
        never = Queue(delay_notice_s=0)
        self.assertFalse(self.told(message(), 9e9, never))

    def test_the_age_of_mail_for_later_begins_when_it_is_let_go(self):
        held = message(hold_until_s=50_000.0)
        self.assertFalse(self.told(held, 50_000.0 + 4 * 3600 - 1))
        self.assertTrue(self.told(held, 50_000.0 + 4 * 3600))

    def test_at_a_deadline_of_mode_n(self):
        by = message(deliver_by=DeliverBy(3000.0, "N"))
        self.assertFalse(self.told(by, 2999.0))
        self.assertTrue(self.told(by, 3000.0))
        self.assertTrue(self.told(by, 3000.0, Queue(delay_notice_s=0)))
