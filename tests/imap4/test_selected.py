"""Message numbers mean the same to client and server at every moment."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter
from mailtwist.flags import SEEN
from mailtwist.imap4.selected import Selected
from mailtwist.mailbox.model import Changes, MessageRows
from mailtwist.seqset import STAR, SequenceSet


def rows(*messages):
    """MessageRows of (uid, modseq, *flags)."""
    found = MessageRows()
    for uid, modseq, *flags in messages:
        found.uids.append(uid)
        found.modseqs.append(modseq)
        found.flags.append(frozenset(flags))
        found.octets.append(1)
        found.internal_dates.append(0)
    return found


def changes(highest, *messages, vanished=()):
    return Changes(highest, rows(*messages), list(vanished))


def numbers(*ranges):
    return SequenceSet.of(ranges)


class Client:
    """What a client makes of the lines it is told."""

    def __init__(self, uids):
        self.uids = list(uids)

    def hear(self, lines, server_uids):
        for line in lines:
            number, what = re.match(rb"\* (\d+) (\w+)", line).groups()
            if what == b"EXPUNGE":
                del self.uids[int(number) - 1]
            elif what == b"EXISTS":
                assert int(number) >= len(self.uids)
                self.uids += server_uids[len(self.uids) : int(number)]


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("new"), st.integers(1, 3)),
        st.tuples(st.just("gone"), st.lists(st.integers(0, 20), max_size=6)),
        st.tuples(st.just("flags"), st.integers(0, 20)),
        st.tuples(st.just("flush"), st.booleans()),
    ),
    max_size=25,
)


class ViewTests(SynchronousTestCase):
    def test_numbers_resolve_by_place_and_uids_by_value(self):
        view = Selected([3, 5, 9], 1)
        for found, uid, wanted, why in [
            (numbers((1, 2)), False, [3, 5], "numbers"),
            (numbers((2, STAR)), False, [5, 9], "to the end"),
            (numbers((STAR, STAR)), False, [9], "the last"),
            (numbers((7, STAR)), False, [9], "n:* beyond the mailbox"),
            (numbers((4, 9)), True, [5, 9], "UIDs"),
            (numbers((100, STAR)), True, [9], "UID n:* is at least the last"),
            (numbers((4, 4)), True, [], "an unknown UID is no fault"),
        ]:
            self.assertEqual(view.uids_of(found, uid=uid), wanted, why)

    def test_a_number_beyond_the_mailbox_is_bad(self):
        for found in (numbers((4, 4)), numbers((1, 4))):
            with self.assertRaises(BadParameter):
                Selected([3, 5, 9], 1).uids_of(found)

    def test_all_of_an_empty_mailbox_is_nothing(self):
        view = Selected([], 1)
        self.assertEqual(view.uids_of(numbers((1, STAR))), [])
        self.assertEqual(view.uids_of(numbers((1, STAR)), uid=True), [])

    def test_new_messages_get_numbers_when_they_are_told(self):
        view = Selected([3], 1)
        view.learn(changes(2, (4, 2)))
        self.assertIsNone(view.number_of(4))
        self.assertEqual(view.flush(expunge=False), [b"* 2 EXISTS\r\n"])
        self.assertEqual(view.number_of(4), 2)
        self.assertEqual(view.highest_modseq, 2)

    def test_expunge_waits_until_it_may_be_told(self):
        view = Selected([3, 5, 9], 1)
        view.learn(changes(2, vanished=[3]))
        self.assertEqual(view.flush(expunge=False), [])
        self.assertEqual(view.number_of(5), 2)
        self.assertEqual(view.vanished, {3})
        self.assertTrue(view.waits())
        self.assertEqual(view.flush(expunge=True), [b"* 1 EXPUNGE\r\n"])
        self.assertEqual(view.number_of(5), 1)
        self.assertFalse(view.waits())

    def test_many_expunges_are_told_from_the_last_down(self):
        view = Selected([3, 5, 9], 1)
        view.vanish([3, 9])
        wanted = [b"* 3 EXPUNGE\r\n", b"* 1 EXPUNGE\r\n"]
        self.assertEqual(view.flush(expunge=True), wanted)

    def test_exists_behind_a_held_expunge_counts_what_the_client_counts(self):
        view = Selected([3, 5], 1)
        view.learn(changes(2, (7, 2), vanished=[3]))
        self.assertEqual(view.flush(expunge=False), [b"* 3 EXISTS\r\n"])
        self.assertEqual(view.flush(expunge=True), [b"* 1 EXPUNGE\r\n"])

    def test_a_message_that_came_and_went_is_never_told(self):
        view = Selected([3], 1)
        view.learn(changes(2, (4, 2)))
        view.learn(changes(3, vanished=[4]))
        self.assertEqual(view.flush(expunge=True), [])

    def test_the_same_change_twice_is_told_once(self):
        view = Selected([3], 1)
        for _ in range(2):
            view.learn(changes(2, (3, 2, SEEN), (4, 2), vanished=[]))
        lines = view.flush(expunge=True)
        self.assertEqual(lines, [b"* 2 EXISTS\r\n", b"* 1 FETCH (FLAGS (\\Seen))\r\n"])
        view.vanish([3])
        view.vanish([3])
        self.assertEqual(view.flush(expunge=True), [b"* 1 EXPUNGE\r\n"])

    def test_flags_carry_uid_and_modseq_where_they_must(self):
        for how, line in [
            ({}, b"* 1 FETCH (FLAGS (\\Seen))\r\n"),
            ({"uid": True}, b"* 1 FETCH (UID 3 FLAGS (\\Seen))\r\n"),
            ({"modseq": True}, b"* 1 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (8))\r\n"),
        ]:
            view = Selected([3], 1)
            view.learn(changes(8, (3, 8, SEEN)))
            self.assertEqual(view.flush(expunge=True, **how), [line])

    def test_flags_of_a_message_that_is_gone_are_not_told(self):
        view = Selected([3, 5], 1)
        view.learn(changes(2, (3, 2, SEEN)))
        view.learn(changes(3, vanished=[3]))
        view.learn(changes(4, (3, 4)))
        self.assertEqual(view.flush(expunge=False), [])

    def test_our_own_store_is_not_told_again(self):
        view = Selected([3], 1)
        view.told(rows((3, 2, SEEN)))
        view.learn(changes(2, (3, 2, SEEN)))
        self.assertEqual(view.flush(expunge=True), [])

    def test_a_later_change_by_someone_else_is_told(self):
        view = Selected([3], 1)
        view.told(rows((3, 2, SEEN)))
        view.learn(changes(3, (3, 3)))
        self.assertEqual(view.flush(expunge=True), [b"* 1 FETCH (FLAGS ())\r\n"])

    def test_a_silent_store_does_not_hide_what_someone_else_did(self):
        view = Selected([3], 1)
        view.learn(changes(2, (3, 2, "$Junk")))
        view.told(rows((3, 3, "$Junk", SEEN)), silent=True)
        view.learn(changes(3, (3, 3, "$Junk", SEEN)))
        lines = view.flush(expunge=True)
        self.assertEqual(lines, [b"* 1 FETCH (FLAGS (\\Seen $Junk))\r\n"])

    def test_recent_belongs_to_the_session_and_is_counted(self):
        view = Selected([3, 5, 9], 1, recent_from=5)
        self.assertEqual(view.recent, 2)
        self.assertEqual([view.is_recent(u) for u in (3, 5, 9)], [False, True, True])
        view.learn(changes(2, (10, 2), (11, 2)), recent_from=11)
        lines = view.flush(expunge=True)
        self.assertEqual(lines, [b"* 5 EXISTS\r\n", b"* 3 RECENT\r\n"])
        self.assertFalse(view.is_recent(10))
        view.vanish([5])
        lines = view.flush(expunge=True)
        self.assertEqual(lines, [b"* 2 EXPUNGE\r\n", b"* 2 RECENT\r\n"])

    def test_recent_stands_among_the_flags(self):
        view = Selected([3], 1, recent_from=3)
        view.learn(changes(2, (3, 2, SEEN)))
        lines = view.flush(expunge=True)
        self.assertEqual(lines, [b"* 1 FETCH (FLAGS (\\Seen \\Recent))\r\n"])

    @settings(max_examples=200)
    @given(start=st.integers(0, 8), events=EVENTS)
    def test_client_and_server_count_alike_whatever_happens(self, start, events):
        store, modseq = list(range(1, start + 1)), 1
        next_uid = start + 1
        view, client = Selected(store, modseq), Client(store)
        for what, how in events:
            modseq += 1
            if what == "new":
                new = range(next_uid, next_uid + how)
                next_uid += how
                store += new
                view.learn(changes(modseq, *((uid, modseq) for uid in new)))
            elif what == "gone":
                gone = [uid for at, uid in enumerate(store) if at in how]
                store = [uid for uid in store if uid not in gone]
                view.learn(changes(modseq, vanished=gone))
            elif what == "flags" and store:
                uid = store[how % len(store)]
                view.learn(changes(modseq, (uid, modseq, SEEN)))
            elif what == "flush":
                lines = view.flush(expunge=how)
                if not how:
                    self.assertFalse(any(b"EXPUNGE" in line for line in lines))
                client.hear(lines, view.uids)
                self.assertEqual(client.uids, view.uids)
        client.hear(view.flush(expunge=True), view.uids)
        self.assertEqual(client.uids, store)
        self.assertEqual(view.uids, store)

    def test_expunging_half_of_a_huge_mailbox_is_not_quadratic(self):
        view = Selected(range(1, 200_001), 1)
        view.vanish(range(1, 200_001, 2))
        self.assertEqual(len(view.flush(expunge=True)), 100_000)
        self.assertEqual(view.exists, 100_000)
        self.assertEqual(view.uids_of(numbers((1, 2))), [2, 4])


class NumbersTests(SynchronousTestCase):
    @given(st.sets(st.integers(1, 60)), st.lists(st.integers(1, 60), unique=True))
    def test_many_at_once_have_the_numbers_of_each(self, view, uids):
        selected = Selected(sorted(view), 1)
        wanted = [selected.number_of(uid) for uid in uids if uid in view]
        self.assertEqual(selected.numbers_of(uids), wanted)
