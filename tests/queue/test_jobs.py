from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import TO_MX, Route
from mailtwist.queue.jobs import jobs_of, place_of_all, source_of
from mailtwist.queue.loaded import LoadedMessages
from mailtwist.queue.model import QueuedMessage, QueuedRecipient

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


class LoadedTests(SynchronousTestCase):
    def test_there_is_always_room_for_one_more_source(self):
        loaded = LoadedMessages(120)
        for source in ("a.test", "b.test", "c.test"):
            path = Address("x", source)
            while loaded.has_room_for(source, ""):
                number = str(len(loaded))
                some = [recipient(1, "r@x.test"), recipient(2, f"r@y{number}.test")]
                loaded.add(message(number, path), some, None)
        self.assertTrue(loaded.has_room_for("d.test", ""))
        sources, places = loaded.crowded()
        self.assertIn("a.test", sources)
        self.assertEqual(places, [])

    def test_and_for_one_more_place(self):
        loaded = LoadedMessages(120)
        while loaded.has_room_for(f"s{len(loaded)}.test", "smtp:x.test"):
            path = Address("x", f"s{len(loaded)}.test")
            some = [recipient(1, "r@x.test")]
            loaded.add(message(str(len(loaded)), path), some, None)
        self.assertEqual(loaded.crowded()[1], ["smtp:x.test"])
        self.assertTrue(loaded.has_room_for("z.test", "smtp:y.test"))

    def test_what_is_removed_makes_room(self):
        loaded = LoadedMessages(20)
        some = [recipient(1, "r@x.test")]
        held = [loaded.add(message(str(n)), some, None) for n in range(20)]
        self.assertEqual(loaded.room, 0)
        for each in held:
            loaded.remove(each)
        self.assertEqual((loaded.room, loaded.crowded()), (20, ([], [])))
