"""A client that keeps what it saw and comes back with QRESYNC has the mailbox again."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.cmd.earlier import _last_match, _matched
from mailtwist.imap4.types import Resync
from mailtwist.seqset import SequenceSet

from .room import Room

FETCH = re.compile(rb"\* \d+ FETCH \(UID (\d+) FLAGS (\([^)]*\)) MODSEQ \(\d+\)\)")
EARLIER = re.compile(rb"\* VANISHED \(EARLIER\) (\S+)")

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.just(0)),
        st.tuples(st.just("flag"), st.integers(1, 8)),
        st.tuples(st.just("expunge"), st.integers(1, 8)),
    ),
    max_size=8,
)


def numbers(text):
    found = set()
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found |= set(range(int(low), int(high or low) + 1))
    return found


class Kept:
    """A client's copy: flags by UID, with the state it is of."""

    def __init__(self, client):
        self.client = client
        self.validity = self.modseq = 0
        self.flags = {}

    def select(self, rest=""):
        lines = self.client.ask(f"SELECT INBOX {rest}")
        for line in lines:
            if found := re.search(rb"\[UIDVALIDITY (\d+)\]", line):
                self.validity = int(found[1])
            if found := re.search(rb"\[HIGHESTMODSEQ (\d+)\]", line):
                self.modseq = int(found[1])
        for line in lines:
            if found := EARLIER.fullmatch(line):
                for uid in numbers(found[1]):
                    self.flags.pop(uid, None)
            if found := FETCH.fullmatch(line):
                self.flags[int(found[1])] = found[2]
        return lines

    def resync(self, rest=""):
        lines = self.select(f"(QRESYNC ({self.validity} {self.modseq}{rest}))")
        self.client.ask("UNSELECT")
        return lines


class ResyncTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()

    def away(self):
        kept = Kept(self.room.login())
        kept.client.ask("ENABLE QRESYNC")
        kept.select("(QRESYNC (1 1))")
        kept.validity, kept.modseq = kept.validity, 0
        kept.client.ask("UNSELECT")
        kept.resync()
        return kept

    def act(self, worker, acts):
        for act, number in acts:
            if act == "append":
                worker.append()
            elif act == "flag":
                worker.ask(f"UID STORE {number} +FLAGS (\\Seen)")
            else:
                worker.ask(f"UID STORE {number} +FLAGS (\\Deleted)")
                worker.ask("EXPUNGE")

    def test_the_last_messages_are_missing_too_when_nobody_remembers(self):
        worker = self.room.selected(messages=4)
        kept = self.away()
        self.act(worker, [("expunge", 4), ("expunge", 3)])
        self.room.folder().forget_vanished()
        self.assertIn(b"* VANISHED (EARLIER) 3:4", kept.resync())

    @settings(max_examples=60, deadline=None)
    @given(ACTS, st.booleans())
    def test_what_it_has_then_is_what_is_there(self, acts, forgets):
        self.room = Room()
        worker = self.room.selected(messages=4)
        kept = self.away()
        self.assertEqual(len(kept.flags), 4)
        self.act(worker, acts)
        folder = self.room.folder()
        if forgets:
            folder.forget_vanished()
        kept.resync()
        there = Kept(kept.client)
        there.select("(QRESYNC (1 1))")
        lines = kept.client.ask("UID FETCH 1:* (FLAGS MODSEQ)")
        now = {}
        for line in lines:
            if found := re.search(rb"UID (\d+) FLAGS (\([^)]*\))", line):
                now[int(found[1])] = found[2]
        self.assertEqual(kept.flags, now)

    def test_nothing_remembered_tells_all_that_is_missing(self):
        worker = self.room.selected(messages=4)
        kept = self.away()
        self.act(worker, [("expunge", 2)])
        self.room.folder().forget_vanished()
        lines = kept.resync()
        self.assertIn(b"* VANISHED (EARLIER) 2", lines)

    def test_pairs_that_are_right_say_what_is_known(self):
        cases = [  # view, message numbers, UIDs, known up to, why
            ([1, 3, 4], [(1, 2)], [(1, 1), (3, 3)], 3, "both right"),
            ([1, 3, 4], [(1, 1)], [(2, 2)], 0, "wrong"),
            ([1, 3, 4], [(1, 3)], [(1, 1), (3, 4)], 4, "over the borders of ranges"),
            ([1, 3, 4], [(1, 1), (3, 3)], [(1, 1), (5, 5)], 1, "the first only"),
            ([1, 3, 4], [(2, 9)], [(3, 10)], 4, "more than there are"),
            ([], [(1, 1)], [(1, 1)], 0, "an empty mailbox"),
            ([1, 2, 3], [(1, 1 << 31)], [(1, 1 << 31)], 3, "a huge range"),
        ]
        for view, message_numbers, uids, known, why in cases:
            asked = Resync(
                1, 1, None, (SequenceSet.of(message_numbers), SequenceSet.of(uids))
            )
            self.assertEqual(_matched(view, asked), known, why)

    @given(
        st.sets(st.integers(1, 30)).map(sorted),
        st.integers(1, 12),
        st.integers(1, 20),
        st.integers(1, 12),
    )
    def test_the_last_match_is_found_as_one_by_one(self, view, number, uid, count):
        wanted = 0
        for n in range(count):
            if number - 1 + n < len(view) and view[number - 1 + n] == uid + n:
                wanted = uid + n
        self.assertEqual(_last_match(view, number, uid, count), wanted)
