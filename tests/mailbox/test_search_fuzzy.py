"""Tests for mailtwist.mailbox.search_fuzzy: slips, scores, and the index before it."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox import search_fuzzy
from mailtwist.mailbox.search import search
from mailtwist.mailbox.search_fuzzy import allowed, pieces, slips_in
from mailtwist.mailbox.search_index import Narrowing
from mailtwist.search_key import And, Body, Fuzzy, HasFlag, Header, Not, Or, Text

from .search_mailbox import answer
from .test_search_index import Both, World, mail


class SlipTests(SynchronousTestCase):
    def test_slips(self):
        for text, word, most, want, reason in [
            ("say hello there", "hello", 1, 0, "none"),
            ("say hello there", "hallo", 1, 1, "a letter replaced"),
            ("say hello there", "helo", 1, 1, "one left out"),
            ("say hello there", "helllo", 1, 1, "one too many"),
            ("say hello there", "ehllo", 1, 1, "neighbours swapped"),
            ("say hello there", "hippo", 1, None, "more than that"),
            ("a confrence call", "conference", 2, 1, "in the middle"),
            ("a confrance call", "conference", 2, 2, "two"),
            ("a confxxxnce", "conference", 2, None, "three"),
            ("hello", "hello", 0, 0, "none allowed"),
            ("hallo", "hello", 0, None, "none allowed, one there"),
            ("", "hello", 1, None, "no text"),
        ]:
            self.assertEqual(slips_in(text, word, most), want, reason)

    @given(
        word=st.text("abcd", min_size=6, max_size=12),
        at=st.integers(0, 11),
        letter=st.sampled_from("xyz"),
        how=st.sampled_from(["replace", "insert", "delete"]),
    )
    def test_one_slip_anywhere_is_found(self, word, at, letter, how):
        at %= len(word)
        written = {
            "replace": word[:at] + letter + word[at + 1 :],
            "insert": word[:at] + letter + word[at:],
            "delete": word[:at] + word[at + 1 :],
        }[how]
        found = slips_in(f"words {written} around", word, 1)
        self.assertIn(found, (0, 1))

    @given(st.text(min_size=3, max_size=40), st.integers(0, 2))
    def test_pieces_are_the_word(self, word, slips):
        found = pieces(word, slips)
        self.assertEqual("".join(piece for _, piece in found), word)
        for at, piece in found:
            self.assertEqual(word[at : at + len(piece)], piece)

    def test_short_words_may_have_a_slip_where_few_messages_are_looked_at(self):
        for word, few, want in [
            ("abc", True, 0),
            ("helo", True, 1),
            ("helo", False, 0),
            ("window", False, 1),
            ("conference", False, 2),
        ]:
            self.assertEqual(allowed(word, few=few), want, (word, few))


MESSAGES = [
    mail("the conference is on monday", subject="IMAP is broken"),
    mail("on monday: a confrence", subject="break"),
    mail("nothing of it", subject="hello there"),
    mail("monday", subject="help"),
]


class FuzzyTests(World):
    def scores(self, key, few=True):
        if not few:
            self.patch(search_fuzzy, "FEW", 0)
        both = Both(self, MESSAGES)
        told = []
        for mailbox in (both.plain, both.indexed):
            scores = {}
            found = search(
                mailbox,
                key,
                both.mail.uids,
                recent=(),
                pause=both.mail._pause,
                scores=scores,
            )
            self.assertEqual(answer(self, found), sorted(scores), key)
            told.append({uid: round(100 * one) for uid, one in scores.items()})
        both.index.close()
        self.assertEqual(told[0], told[1], "with and without an index")
        return told[0]

    def test_what_is_found_and_how_well(self):
        for key, want, reason in [
            (Body("conference"), {1: 100, 2: 81}, "a slip costs"),
            (Body("monday conference"), {1: 90, 2: 86}, "in another order"),
            (Text("conference imap"), {1: 90}, "words over header and body"),
            (Header("subject", "broken imap"), {1: 90}, "a header field"),
            (Header("subject", "Helo"), {3: 68, 4: 68}, "hello and help"),
            (Header("from", "conference"), {}, "another field"),
            (Body("absolutely"), {}, "nothing"),
            (And((Body("conference"), Not(HasFlag("\\Seen")))), {1: 100, 2: 90}, "and"),
            (Or(Body("conference"), Body("nothing")), {1: 100, 2: 81, 3: 100}, "or"),
            (HasFlag("\\Seen"), {}, "what has no string is exact"),
            (Body(""), {1: 100, 2: 100, 3: 100, 4: 100}, "an empty string"),
        ]:
            self.assertEqual(self.scores(Fuzzy(key)), want, reason)

    def test_in_a_large_mailbox_only_longer_words_may_have_slips(self):
        self.assertEqual(
            self.scores(Fuzzy(Body("conference")), few=False), {1: 100, 2: 81}
        )
        self.assertEqual(self.scores(Fuzzy(Header("subject", "Helo")), few=False), {})

    def test_the_index_leaves_most_unread(self):
        both = Both(self, MESSAGES)
        both.mail.mailbox = both.indexed
        before = len(both.plain.octets_asked)
        self.assertEqual(both.mail.found(Fuzzy(Body("absolutely"))), [])
        self.assertEqual(len(both.plain.octets_asked), before)
        both.index.close()

    def test_extracts_are_asked_for_a_few_at_a_time(self):
        both = Both(self, MESSAGES)
        asked = []

        async def text_extracts(uids):
            asked.append(list(uids))
            return [None if uid == 2 else f"of {uid}" for uid in uids]

        both.indexed.text_extracts = text_extracts
        told = answer(self, Narrowing(both.indexed).extracts([1, 2, 3, 4, 5, 6]))
        self.assertEqual(told, ["of 1", "", "of 3", "of 4", "of 5", "of 6"])
        self.assertEqual(asked, [[1, 2, 3, 4], [5, 6]])
        both.index.close()
