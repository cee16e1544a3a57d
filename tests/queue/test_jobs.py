from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import TO_MX, Route
from mailtwist.queue.jobs import jobs_of, place_of_all, source_of
from mailtwist.queue.loaded import FEW, LoadedMessages, Looked
from mailtwist.queue.model import (
    Crowded,
    QueuedMessage,
    QueuedRecipient,
)

ANN = Address("ann", "here.test")


def message(queue_id="m", path=ANN, login=""):
    return QueuedMessage(queue_id, path, 10, 0.0, 100.0, login=login)


def recipient(number, text, route=TO_MX, **more):
    address = Address.parse(text)
    return QueuedRecipient(number, address, route, address, **more)


class JobTests(SynchronousTestCase):
    def jobs(self, *recipients, most=50):
        jobs = jobs_of(message(), recipients, most)
        return [([r.number for r in j.recipients], j.reverse_path) for j in jobs]

    def test_one_transaction_for_each_domain_sender_and_route(self):
        self.assertEqual(
            self.jobs(
                recipient(1, "a@x.test"),
                recipient(2, "b@y.test"),
                recipient(3, "c@x.test"),
                recipient(4, "d@x.test", sender="owner@here.test"),
                recipient(5, "e@x.test", sender=""),
                recipient(6, "f@x.test", Route("lmtp", "[::1]:24")),
                recipient(7, "g@y.test", Route("lmtp", "[::1]:24")),
            ),
            [
                ([1, 3], ANN),
                ([2], ANN),
                ([4], Address("owner", "here.test")),
                ([5], None),
                ([6, 7], ANN),
            ],
        )

    def test_no_more_recipients_than_allowed(self):
        some = [recipient(n, f"u{n}@x.test") for n in range(1, 8)]
        numbers = [numbers for numbers, _ in self.jobs(*some, most=3)]
        self.assertEqual(numbers, [[1, 2, 3], [4, 5, 6], [7]])

    def test_each_command_and_file_runs_by_itself(self):
        pipe, file = Route("pipe", "x"), Route("file", "/x")
        found = self.jobs(
            recipient(1, "a@x.test", pipe),
            recipient(2, "a@x.test", pipe, run_as="bob"),
            recipient(3, "b@x.test", pipe),
            recipient(4, "a@x.test", file),
        )
        self.assertEqual([numbers for numbers, _ in found], [[1], [2], [3], [4]])


class NameTests(SynchronousTestCase):
    def test_a_source_is_the_login_or_the_domain(self):
        self.assertEqual(source_of(message()), "here.test")
        self.assertEqual(source_of(message(path=None)), "")
        self.assertNotEqual(source_of(message(login="here.test")), "here.test")

    def test_a_place_is_named_if_there_is_one_only(self):
        x, y = recipient(1, "a@x.test"), recipient(2, "b@y.test")
        self.assertEqual(place_of_all([x, recipient(2, "c@x.test")]), "smtp:x.test")
        self.assertEqual(place_of_all([x, y]), "")


class LookedTests(SynchronousTestCase):
    X, BOTH = Crowded([], ["x"]), Crowded(["s"], ["x", "y"])

    def setUp(self):
        self.looked = Looked()
        self.looked.found_all(self.X, 0.0, 100.0)

    def test_what_was_found_once_is_not_looked_for_again(self):
        for crowded, since_s in (
            (self.X, 100.0),
            (self.BOTH, 100.0),
            (Crowded(), 0.0),  # what was left out is wanted now
            (Crowded(["s"], ["y"]), 0.0),
        ):
            self.assertEqual(self.looked.since_s(crowded, 110.0), since_s, crowded)

    def test_a_pair_is_left_out_with_its_place(self):
        self.looked.found_all(Crowded([], [], [("s", "x")]), 0.0, 100.0)
        self.assertEqual(self.looked.since_s(self.X, 110.0), 100.0)
        self.assertEqual(self.looked.since_s(Crowded([], ["y"]), 110.0), 0.0)

    def test_it_is_looked_for_from_the_start_once_a_minute(self):
        for now_s in (120.0, 140.0, 159.0):
            since_s = self.looked.since_s(self.X, now_s)
            self.assertGreater(since_s, 0.0)
            self.looked.found_all(self.X, since_s, now_s)
        self.assertEqual(self.looked.since_s(self.X, 160.0), 0.0)
        self.assertEqual(self.looked.since_s(self.X, 90.0), 0.0)  # a clock set back

    def test_what_was_left_out_meanwhile_is_looked_for(self):
        self.looked.left_out(101.0)
        self.assertEqual(self.looked.since_s(self.X, 110.0), 100.0)
        self.looked.left_out(99.0)
        self.assertEqual(self.looked.since_s(self.X, 110.0), 0.0)


class LoadedTests(SynchronousTestCase):
    def fill(self, loaded, source, *places, ready=None):
        """Load as many from a source to places as are welcome; how many."""
        count, path = 0, Address("x", source)
        while True:
            some = [recipient(n, f"r@{place}") for n, place in enumerate(places)]
            one = message(f"{source}{places}{count}", path)
            welcome = loaded.welcome(one, some, ready or {})
            if not welcome:
                return count
            loaded.add(one, welcome, None)
            count += 1
            if ready is not None:
                ready[source] += len(welcome)

    def test_there_is_always_room_for_one_more_source(self):
        loaded, ready = LoadedMessages(120), Counter()
        for source in ("a.test", "b.test", "c.test"):
            for number in range(200):
                self.fill(loaded, source, f"y{number}.test", ready=ready)
        self.assertEqual(ready["a.test"], 60)
        self.assertGreater(self.fill(loaded, "d.test", "y.test", ready=ready), 0)
        self.assertIn("a.test", loaded.crowded(ready).sources)

    def test_and_for_one_more_place(self):
        loaded = LoadedMessages(400)
        self.assertEqual(self.fill(loaded, "a.test", "x.test"), 80)
        self.assertEqual(
            loaded.crowded({}),
            Crowded([], [], [("a.test", "smtp:x.test")]),
        )
        self.assertGreater(self.fill(loaded, "a.test", "y.test"), 60)

    def test_who_crowds_a_place_does_not_keep_others_from_it(self):
        loaded = LoadedMessages(400)
        self.fill(loaded, "a.test", "x.test")
        some = [self.fill(loaded, f"s{n}.test", "x.test") for n in range(40)]
        self.assertEqual(some[:4], [FEW] * 4)
        self.assertEqual(some[-1], 0)
        self.assertEqual(loaded.crowded({}).places, ["smtp:x.test"])

    def test_of_a_message_to_a_crowded_place_the_rest_is_welcome(self):
        loaded = LoadedMessages(400)
        self.fill(loaded, "a.test", "x.test")
        some = [recipient(1, "r@x.test"), recipient(2, "r@y.test")]
        path = Address("x", "a.test")
        welcome = loaded.welcome(message("m", path), some, {})
        self.assertEqual(welcome, some[1:])

    def test_more_is_wanted_when_a_place_runs_low(self):
        loaded, held = LoadedMessages(400), []
        some = [recipient(1, "r@x.test")]
        for number in range(80):
            held.append(loaded.add(message(str(number)), some, None))
        self.assertEqual(loaded.welcome(message("m"), some, {}), [])
        wanted = []
        for each in held:
            loaded.remove(each)
            wanted.append(loaded.wants_more(each, {"here.test": 1}))
        self.assertEqual(wanted, sorted(wanted))
        self.assertTrue(20 < wanted.index(True) < 60)

    def test_what_is_removed_makes_room(self):
        loaded = LoadedMessages(20)
        some = [recipient(1, "r@x.test")]
        held = [loaded.add(message(str(n)), some, None) for n in range(20)]
        self.assertEqual(loaded.room, 0)
        for each in held:
            loaded.remove(each)
        self.assertEqual(loaded.room, 20)
        self.assertFalse(loaded.crowded({}))
