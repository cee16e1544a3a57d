"""Tests for mailtwist.store.text_index: what it knows, and how it is begun anew."""

import os
import sqlite3
from unittest.mock import ANY

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.model import TextFigures, TextPlace
from mailtwist.mailbox.search_text import MessageText
from mailtwist.store import text_index
from mailtwist.store.text_index import TextIndex, trigrams


def bodies(*texts, first=1):
    return [MessageText(uid, "head", text) for uid, text in enumerate(texts, first)]


class World(SynchronousTestCase):
    def setUp(self):
        folder = self.mktemp()
        os.makedirs(folder)
        self.index = TextIndex(os.path.join(folder, "search.sqlite"))
        self.addCleanup(self.index.close)

    def found(self, needle, place=TextPlace.BODY, mailbox="m", index=None):
        return (index or self.index).hits(mailbox, needle, place).uids


class FindingTests(World):
    def test_places(self):
        self.index.put(
            "m", [MessageText(4, "apple", "pear"), MessageText(9, "nut", "")]
        )
        for needle, place, want in [
            ("apple", TextPlace.HEADER, [4]),
            ("apple", TextPlace.BODY, []),
            ("apple", TextPlace.TEXT, [4]),
            ("pear", TextPlace.TEXT, [4]),
            ("nut", TextPlace.HEADER, [9]),
        ]:
            self.assertEqual(self.found(needle, place), want, (needle, place))
        self.assertEqual(self.index.covered("m"), [4, 4, 9, 9])

    def test_what_was_made_of_attachments_is_apart_from_the_body(self):
        with_more = MessageText(4, "head", "body", extract="apple \u00e9")
        self.index.put("m", [with_more, MessageText(5, "head", "apple")])
        self.assertEqual(self.found("apple"), [5])
        self.assertEqual(self.found("apple", TextPlace.TEXT), [5])
        self.assertEqual(self.found("apple", TextPlace.EXTRACT), [4])
        self.assertEqual(
            self.index.extracts("m", [5, 4, 6]), [None, "apple \u00e9", None]
        )
        self.assertEqual(self.index.extracts("n", [4]), [None])

    def test_what_was_made_of_attachments_goes_with_its_message(self):
        for forget in ([4], None):
            self.index.put("m", [MessageText(4, "", "", extract="apple")])
            self.index.forget("m", forget)
            self.index.put("m", [MessageText(4, "", "pear")])
            self.assertEqual(self.index.extracts("m", [4]), [None], forget)
            self.index.clear()

    def test_mailboxes_are_apart(self):
        self.index.put("m", bodies("apple"))
        self.index.put("n", bodies("pear", "apple"))
        self.assertEqual(self.found("apple"), [1])
        self.assertEqual(self.found("apple", mailbox="n"), [2])
        self.assertEqual(self.index.hits("x", "apple", TextPlace.BODY).covered, [])

    def test_any_character_may_be_in_a_needle(self):
        odd = "a\"b'*^-:()+ AND\r\n\t\U0001f600\u0301x"
        self.index.put("m", bodies(odd, "other"))
        for start in range(len(odd) - 3):
            self.assertEqual(self.found(odd[start : start + 4]), [1], start)

    def test_a_lone_surrogate_hides_nothing_else(self):
        self.index.put("m", bodies("apple \ud800 pear"))
        self.assertEqual(self.found("pear"), [1])

    def test_a_long_needle_is_asked_for_in_parts(self):
        needle = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
        self.assertEqual(len(trigrams(needle)), text_index.MOST_TRIGRAMS)
        self.index.put("m", bodies(needle, needle[:250]))
        self.assertEqual(self.found(needle), [1])

    def test_no_file_is_made_to_look_into_it(self):
        self.assertIsNone(self.index.hits("m", "apple", TextPlace.BODY))
        self.assertFalse(os.path.exists(self.index.path))

    def test_a_message_is_put_in_once(self):
        self.index.put("m", bodies("apple"))
        self.index.put("m", bodies("pear", "nut"))
        self.assertEqual(self.found("apple"), [1])
        self.assertEqual(self.found("pear"), [])
        self.assertEqual(self.index.figures(), TextFigures(ANY, 2, 0, 0, ANY))

    def test_another_connection_is_believed(self):
        other = TextIndex(self.index.path)
        self.addCleanup(other.close)
        self.index.put("m", bodies("apple"))
        self.assertEqual(self.found("apple", index=other), [1])
        self.index.put("m", bodies("apple", first=2))
        self.assertEqual(other.hits("m", "apple", TextPlace.BODY).covered, [1, 2])
        self.index.forget("m")
        self.assertEqual(other.hits("m", "apple", TextPlace.BODY).covered, [])
        self.index.put("m", bodies("pear"))
        self.assertEqual(self.found("pear", index=other), [1])

    def test_a_text_that_is_not_as_it_was_is_lacking(self):
        texts = bodies("apple", "pear", "")
        self.index.put("m", texts)
        self.assertEqual(self.index.lacking("m", texts), [])
        with sqlite3.connect(self.index.path) as db:
            db.execute(
                "UPDATE blocks SET text = CAST(replace(text, 'pear', 'peas') AS BLOB)"
            )
        db.close()
        self.assertEqual(self.index.lacking("m", texts), [2])


class ForgettingTests(World):
    def test_what_was_expunged_is_not_covered(self):
        self.index.put("m", bodies("apple", "apple", "apple"))
        self.index.forget("m", [2])
        self.assertEqual(self.index.covered("m"), [1, 1, 3, 3])
        self.assertEqual(self.index.figures(), TextFigures(ANY, 2, 0, 1, ANY))

    def test_a_generation_that_is_half_dead_goes(self):
        self.patch(text_index, "FEW_DEAD", 2)
        self.index.put("m", bodies(*["apple"] * 8))
        self.index.forget("m", [1, 2, 3, 4])
        self.assertEqual(self.index.covered("m"), [5, 8])
        self.index.forget("m", [5])
        self.assertEqual(self.index.covered("m"), [])  # to be indexed anew
        self.assertEqual(self.found("apple"), [])
        self.index.put("m", bodies("pear", first=8))
        self.assertEqual(self.found("pear"), [8])
        self.assertEqual(self.index.figures(), TextFigures(ANY, 1, 0, 0, ANY))

    def test_generations_have_a_size(self):
        self.patch(text_index, "FULL", 4)
        self.patch(text_index, "FEW_DEAD", 0)
        for first in range(1, 13, 2):
            self.index.put("m", bodies("apple", "pear", first=first))
        self.assertEqual(self.found("apple"), [1, 3, 5, 7, 9, 11])
        self.index.forget("m", [5, 6, 7])
        self.assertEqual(self.index.covered("m"), [1, 4, 9, 12])

    def test_a_mailbox_that_went_leaves_nothing(self):
        self.index.put("m", bodies(*["apple " * 1000] * 300))
        octets = self.index.octets()
        self.index.forget("m")
        self.assertEqual(self.index.mailboxes(), [])
        self.assertEqual(self.index.figures(), TextFigures(ANY, 0, 0, 0, ANY))
        self.index.close()
        self.assertLess(self.index.octets(), max(octets, 100_000))

    def test_forgetting_makes_no_file(self):
        self.index.forget("m", [1])
        self.assertFalse(os.path.exists(self.index.path))


class BegunAnewTests(World):
    def check_begins_anew(self):
        self.index.hits("m", "apple", TextPlace.BODY)  # sees it at the latest
        self.assertTrue(self.index.put("m", bodies("apple", first=7)))
        self.assertEqual(self.found("apple"), [7])

    def test_a_deleted_file(self):
        self.index.put("m", bodies("apple"))
        os.unlink(self.index.path)
        self.assertIsNone(self.index.hits("m", "apple", TextPlace.BODY))
        self.check_begins_anew()

    def test_a_file_that_is_no_database(self):
        self.index.put("m", bodies("apple"))
        self.index.close()
        with open(self.index.path, "wb") as file:
            file.write(b"no database " * 1000)
        self.check_begins_anew()
        self.assertTrue(os.path.exists(self.index.path + ".damaged"))

    def test_a_file_with_holes(self):
        self.index.put("m", bodies(*[f"apple {n} " * 200 for n in range(200)]))
        self.index.close()
        with open(self.index.path, "r+b") as file:
            octets = os.path.getsize(self.index.path)
            for at in range(8192, octets - 4096, 8192):
                file.seek(at)
                file.write(b"\xee" * 4096)
        self.index.hits("m", "apple 1", TextPlace.BODY)
        self.index.forget("m", [1])
        self.check_begins_anew()

    def test_a_table_that_is_missing(self):
        self.index.put("m", bodies("apple"))
        with sqlite3.connect(self.index.path) as db:
            db.execute("DROP TABLE documents")
        db.close()
        self.check_begins_anew()

    def test_one_of_another_version(self):
        self.index.put("m", bodies("apple"))
        self.index.close()
        with sqlite3.connect(self.index.path) as db:
            db.execute("PRAGMA user_version=99")
        db.close()
        self.assertEqual(self.found("apple"), [])
        self.check_begins_anew()

    def test_a_place_where_nothing_can_be_written(self):
        index = TextIndex("/proc/nowhere/search.sqlite")
        self.assertFalse(index.put("m", bodies("apple")))
        self.assertIsNone(index.hits("m", "apple", TextPlace.BODY))


WORDS = st.sampled_from(["apple", "apricot", "pear", "nut"])


class Histories(RuleBasedStateMachine):
    """Any order of what happens, an end without a close among it."""

    folder = ""

    def __init__(self):
        super().__init__()
        self.path = os.path.join(self.folder, "any.sqlite")
        self.index = TextIndex(self.path)
        self.index.clear()
        self.live, self.next_uid = {}, 1

    def teardown(self):
        self.index.close()

    @rule(words=st.lists(WORDS, min_size=1, max_size=5))
    def arrive(self, words):
        self.index.put("m", bodies(*words, first=self.next_uid))
        for word in words:
            self.live[self.next_uid] = word
            self.next_uid += 1

    @rule(choose=st.lists(st.integers(0, 30), max_size=6))
    def expunge(self, choose):
        gone = {uid for uid in choose if uid in self.live}
        self.index.forget("m", gone)
        for uid in gone:
            del self.live[uid]

    @rule()
    def index_what_is_missing(self):
        covered = self.index.covered("m")
        missing = text_index_missing(self.live, covered)
        self.index.put("m", [MessageText(u, "", self.live[u]) for u in missing])

    @rule()
    def another_opens_it(self):
        self.index, old = TextIndex(self.path), self.index

        self.index.covered("m")
        old.close()

    @invariant()
    def what_is_covered_is_told_right(self):
        for word in ("apple", "apricot", "pear"):
            hits = self.index.hits("m", word, TextPlace.BODY)
            missing = set(text_index_missing(self.live, hits.covered))
            want = {u for u, w in self.live.items() if w == word} - missing
            found = set(hits.uids) & set(self.live) - missing
            if found != want:
                raise AssertionError(f"{word}: {found} and not {want}")


def text_index_missing(live, covered):
    pairs = list(zip(covered[::2], covered[1::2], strict=True))
    return [uid for uid in live if not any(lo <= uid <= hi for lo, hi in pairs)]


class HistoryTests(SynchronousTestCase):
    def test_any_history(self):
        self.patch(text_index, "FULL", 4)
        self.patch(text_index, "FEW_DEAD", 1)
        folder = self.mktemp()
        os.makedirs(folder)
        self.patch(Histories, "folder", folder)
        case = Histories.TestCase("runTest")
        case.settings = settings(max_examples=30, deadline=None, stateful_step_count=15)
        case.runTest()
