"""Tests for mailtwist.store.text_blocks: a needle is found in the messages that have it
and in no other, whatever lies beside it."""

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.search_text import MessageText
from mailtwist.store import text_blocks


class World(SynchronousTestCase):
    def setUp(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.db.close)
        for statement in text_blocks.MAKE:
            self.db.execute(statement)

    def put(self, *texts, first=1, mailbox=7, generation=1):
        messages = [MessageText(uid, "", text) for uid, text in enumerate(texts, first)]
        text_blocks.put(self.db, mailbox, generation, messages)

    def having(self, needle, *fields, among=None, mailbox=7):
        found = text_blocks.having(self.db, mailbox, fields or ("body",), needle, among)
        return sorted(found)

    def blocks(self):
        return self.db.execute("SELECT count(*) FROM blocks").fetchone()[0]


class FindingTests(World):
    def test_each_field_and_mailbox_is_apart(self):
        text_blocks.put(self.db, 7, 1, [MessageText(3, "pear", "apple", shown="nut")])
        text_blocks.put(self.db, 8, 1, [MessageText(4, "", "apple")])
        for needle, fields, want in [
            ("pear", ("header",), [3]),
            ("pear", ("body",), []),
            ("apple", ("body",), [3]),
            ("nut", ("body", "shown"), [3]),
            ("nut", ("header", "body"), []),
        ]:
            self.assertEqual(self.having(needle, *fields), want, needle)
        self.assertEqual(self.having("apple", mailbox=8), [4])

    def test_no_needle_is_found_over_the_end_of_a_message(self):
        self.put("app", "le", "ap\xe9", "\xe9le")
        for needle, want in [
            ("apple", []),
            ("pl", []),
            ("le", [2, 4]),
            ("\xe9", [3, 4]),
        ]:
            self.assertEqual(self.having(needle), want, needle)

    def test_a_lone_surrogate_is_no_sign_that_anybody_looks_for(self):
        self.put("a\ud800b")
        self.assertEqual(self.having("a?b"), [])
        self.assertEqual(self.having("b"), [1])

    def test_messages_that_come_one_by_one_share_blocks(self):
        for uid in range(1, 101):
            self.put("apple" if uid % 2 else "pear", first=uid)
        self.assertEqual(self.blocks(), 1)
        self.assertEqual(self.having("pear"), list(range(2, 101, 2)))

    def test_a_block_has_a_size(self):
        self.patch(text_blocks, "MOST_OCTETS", 20)
        self.put(*["apple"] * 12)
        self.assertEqual(self.blocks(), 3)
        self.assertEqual(self.having("ppl"), list(range(1, 13)))

    def test_only_blocks_with_one_of_those_asked_for_are_looked_into(self):
        self.patch(text_blocks, "MOST_OCTETS", 1)
        self.put(*["apple"] * 6)
        self.assertEqual(self.having("ppl", among={2, 5, 9}), [2, 5])


class ForgettingTests(World):
    def test_what_is_forgotten_is_nowhere_in_the_file(self):
        self.put("apple", "secret", "pear")
        text_blocks.forget(self.db, 7, {2, 40})
        self.assertEqual(self.having("secret"), [])
        self.assertEqual(self.having("e"), [1, 3])
        texts = self.db.execute("SELECT text FROM blocks").fetchall()
        self.assertFalse(any(b"secret" in text for (text,) in texts))

    def test_one_that_comes_again_has_its_new_text_alone(self):
        self.put("apple", "nut")
        text_blocks.forget(self.db, 7, {1})
        self.put("pear", first=1)
        self.assertEqual(self.having("apple"), [])
        self.assertEqual(self.having("pear"), [1])

    def test_a_generation_goes_with_its_blocks(self):
        self.put("apple")
        self.put("apple", first=2, generation=2)
        text_blocks.forget_generation(self.db, 1)
        self.assertEqual(self.having("apple"), [2])

    def test_a_mailbox_goes_with_its_blocks(self):
        self.put("apple")
        self.put("apple", mailbox=8)
        text_blocks.forget_mailbox(self.db, 7)
        self.assertEqual(self.having("apple"), [])
        self.assertEqual(self.having("apple", mailbox=8), [1])


TEXTS = st.text("ab\xe9\u4e00\U0001f600", max_size=6)


class AnyTests(World):
    @given(
        batches=st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=5),
        needles=st.lists(st.text("ab\xe9\u4e00", min_size=1, max_size=3), max_size=5),
        gone=st.sets(st.integers(1, 20)),
        size=st.integers(1, 40),
    )
    @settings(max_examples=100, deadline=None)
    def test_any_needle_is_found_where_it_is(self, batches, needles, gone, size):
        self.patch(text_blocks, "MOST_OCTETS", size)
        self.db.execute("DELETE FROM blocks")
        texts = {}
        for batch in batches:
            first = len(texts) + 1
            self.put(*batch, first=first)
            texts.update(enumerate(batch, first))
        text_blocks.forget(self.db, 7, gone)
        for needle in needles:
            want = [u for u, one in texts.items() if needle in one and u not in gone]
            self.assertEqual(self.having(needle), want)
            self.assertEqual(self.having(needle, among=want), want)
