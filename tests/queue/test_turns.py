from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.queue.turns import Turns


class TurnsTests(SynchronousTestCase):
    def setUp(self):
        self.turns = Turns()

    def add(self, item, source="s", destination="d", message="m", priority=0):
        self.turns.add(
            item,
            priority=priority,
            source=source,
            destination=destination,
            message=message,
        )

    def all(self):
        found = []
        while turn := self.turns.next():
            found.append(turn[1])
        return found

    def test_one_message_waits_for_one_of_ten_thousand(self):
        for number in range(10_000):
            self.add(("bulk", number), source="bulk", message=str(number))
        self.add("one", source="else")
        first = [self.turns.next()[1] for _ in range(2)]
        self.assertIn("one", first)

    def test_and_so_it_does_if_they_go_to_ten_thousand_places(self):
        for number in range(10_000):
            self.add(number, source="bulk", destination=str(number), message="m")
        self.add("one", source="else", destination="there")
        self.assertIn("one", [self.turns.next()[1] for _ in range(2)])

    def test_a_list_of_a_thousand_recipients_does_not_hold_up_the_next_message(self):
        for number in range(20):
            self.add(("list", number), message="list")
        self.add("next", message="next")
        self.assertIn("next", [self.turns.next()[1] for _ in range(2)])

    def test_higher_priorities_go_first(self):
        for priority in (0, -3, 9, 2):
            self.add(priority, priority=priority, message=str(priority))
        self.assertEqual(self.all(), [9, 2, 0, -3])

    def test_a_blocked_destination_holds_up_nobody_else(self):
        self.add("a", destination="slow")
        self.add("b", destination="fast")
        self.turns.block("slow")
        self.add("c", destination="slow")
        self.assertEqual(self.all(), ["b"])
        self.assertEqual(self.turns.waiting, 2)
        self.turns.free("slow")
        self.assertEqual(self.all(), ["a", "c"])

    def test_sources_share_a_destination_that_has_one_place_at_a_time(self):
        for number in range(100):
            self.add("bulk", source="bulk", message=f"b{number}")
        for number in range(3):
            self.add("one", source="else", message=f"o{number}")
        found = []
        for _ in range(8):
            found.append(self.turns.next()[1])
            self.turns.block("d")
            self.turns.free("d")
        self.assertEqual(Counter(found)["one"], 3)

    def test_take_gives_back_everything_for_a_destination(self):
        self.add("a", source="x")
        self.add("b", source="y", priority=3)
        self.add("c", destination="e")
        self.assertEqual(sorted(self.turns.take("d")), ["a", "b"])
        self.assertFalse(self.turns.has("d"))
        self.assertEqual(self.turns.take_all(), ["c"])
        self.assertEqual((self.turns.waiting, self.turns.next()), (0, None))

    STEPS = st.lists(
        st.one_of(
            st.tuples(
                st.just("add"),
                st.integers(-1, 1),
                st.sampled_from("ab"),
                st.sampled_from("de"),
                st.sampled_from("mn"),
            ),
            st.tuples(
                st.sampled_from(["block", "free", "take"]), st.sampled_from("de")
            ),
            st.tuples(st.just("next")),
        ),
        max_size=60,
    )

    @given(STEPS)
    def test_every_job_comes_out_once_and_none_while_it_is_blocked(self, steps):
        turns, waiting, blocked, number = Turns(), {}, set(), 0
        for step in steps:
            if step[0] == "add":
                number += 1
                _, priority, source, destination, message = step
                waiting[number] = (priority, destination, source)
                turns.add(
                    number,
                    priority=priority,
                    source=source,
                    destination=destination,
                    message=message,
                )
            elif step[0] == "block":
                turns.block(step[1])
                blocked.add(step[1])
            elif step[0] == "free":
                turns.free(step[1])
                blocked.discard(step[1])
            elif step[0] == "take":
                for item in turns.take(step[1]):
                    self.assertEqual(waiting.pop(item)[1], step[1])
            else:
                may = {n: p for n, (p, d, _) in waiting.items() if d not in blocked}
                turn = turns.next()
                if turn is None:
                    self.assertEqual(may, {})
                else:
                    self.assertEqual(may[turn[1]], max(may.values()))
                    self.assertEqual(waiting.pop(turn[1])[1], turn[0])
            self.assertEqual(turns.waiting, len(waiting))
            ready = Counter(s for _, d, s in waiting.values() if d not in blocked)
            self.assertEqual(turns.ready, ready)
