"""What is loaded of a queue that is longer than the memory for it."""

from collections import Counter

from twisted.internet.defer import Deferred

from mailtwist.address import Address
from mailtwist.queue.loaded import MOST_LOADED

from .rooms import SENT
from .test_manager import ManagerTestCase


class FairLoadingTests(ManagerTestCase):
    def test_bulk_of_one_login_does_not_hold_up_anothers_one(self):
        world = self.world(attempts=1)
        turns = []

        def answer(job):
            turns.append(Deferred())
            return turns[-1]

        world.wire.answer = answer
        for number in range(MOST_LOADED + 200):
            world.queue(f"u{number}@x{number % 7}.test", login="bulk")
        one = world.queue("one@x1.test", login="else")
        for _ in range(3):
            turns.pop(0).callback(SENT)
        self.assertIn(one, world.wire.ids[:4])
        while turns:
            turns.pop(0).callback(SENT)
        self.assertEqual(len(set(world.wire.ids)), MOST_LOADED + 201)
        self.assertEqual(len(world.wire.ids), MOST_LOADED + 201)
        self.assertEqual(world.count(), 0)

    def test_a_slow_destination_full_of_mail_does_not_fill_the_memory(self):
        world = self.world()
        slow = []

        def answer(job):
            if job.recipients[0].address.domain == "slow.test":
                slow.append(Deferred())
                return slow[-1]
            return SENT

        world.wire.answer = answer
        for number in range(MOST_LOADED + 50):
            sender = Address("ann", f"s{number % 90}.test")
            world.queue(f"u{number}@slow.test", sender=sender)
        world.restart()
        there = len(world.wire.attempts)
        world.queue("bob@else.test", sender=Address("x", "s1.test"))
        self.assertEqual(len(world.wire.attempts), there + 1)

    def slow_world(self, **config):
        """A world where slow.test answers nothing, and what it was asked."""
        world, slow = self.world(**config), []

        def answer(job):
            if job.recipients[0].address.domain == "slow.test":
                slow.append(Deferred())
                return slow[-1]
            return SENT

        world.wire.answer = answer
        return world, slow

    def test_mail_to_a_slow_place_does_not_hold_up_its_senders_other_mail(self):
        world, slow = self.slow_world()
        for number in range(MOST_LOADED + 50):
            world.queue(f"u{number}@slow.test", login="ann")
        there = len(world.wire.attempts)
        other = world.queue("bob@else.test", login="ann")
        self.assertEqual(world.wire.ids[there:], [other])
        self.assertEqual(there, len(slow))
        while slow:
            slow.pop(0).callback(SENT)
        self.assertEqual(world.count(), 0)
        self.assertEqual(max(Counter(world.wire.ids).values()), 1)

    def test_nor_that_which_lies_behind_it_on_disk(self):
        world, slow = self.slow_world()
        answer, world.wire.answer = world.wire.answer, lambda job: Deferred()
        for number in range(MOST_LOADED + 50):
            world.queue(f"u{number}@slow.test", login="ann")
        for number in range(50):
            world.queue(f"bob@x{number}.test", login="ann")
        world.wire.answer = answer
        world.restart()
        self.assertEqual(world.count(), MOST_LOADED + 50)
        while slow:
            slow.pop(0).callback(SENT)
        self.assertEqual(world.count(), 0)

    def test_nor_the_other_recipients_of_the_same_messages(self):
        world, slow = self.slow_world()
        for number in range(MOST_LOADED + 50):
            world.queue(f"u{number}@slow.test", f"u@x{number % 70}.test", login="ann")
        sent = {u for _, _, some in world.wire.attempts for u in some if "@x" in u}
        self.assertEqual(len(world.wire.attempts) - len(slow), MOST_LOADED + 50)
        self.assertEqual(len(sent), 70)
        while slow:
            slow.pop(0).callback(SENT)
        self.assertEqual(world.count(), 0)
        self.assertEqual(len(world.wire.attempts), 2 * (MOST_LOADED + 50))

    def test_nor_that_of_others_to_the_same_place(self):
        world, slow = self.slow_world()
        for number in range(MOST_LOADED):
            world.queue(f"u{number}@slow.test", login="ann")
        other = world.queue("bob@slow.test", login="carl")
        while other not in world.wire.ids:
            slow.pop(0).callback(SENT)
        self.assertLess(len(world.wire.ids), 40)

    def test_a_dozen_slow_places_leave_room_for_more(self):
        world = self.world(attempts=20, concurrency=1, first_concurrency=1)
        slow = []

        def answer(job):
            if job.recipients[0].address.domain.startswith("slow"):
                slow.append(Deferred())
                return slow[-1]
            return SENT

        world.wire.answer = answer
        for number in range(MOST_LOADED * 2):
            world.queue(f"u@slow{number % 12}.test", login=f"u{number % 3}")
        other = world.queue("bob@else.test", login="u1")
        self.assertEqual(world.wire.ids[-1], other)
        world.restart()
        world.queue("bob@else.test", login="u1")
        self.assertEqual(world.wire.ids[-1], f"m{world.sent}")
