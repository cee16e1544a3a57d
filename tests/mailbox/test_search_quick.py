"""The quick ways of a search give what the slow ones give."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.flags import DELETED, FLAGGED, SEEN
from mailtwist.mailbox.search_fields import (
    candidates,
    field_test,
    first_value,
    values,
)
from mailtwist.mailbox.search_flags import by_flags, flags_match
from mailtwist.search_key import All, And, HasFlag, Header, Larger, Not, Or

WORDS = ["", "a", "b a", "re", "ü", "=?", "straße", "x" * 9, " "]
VALUE = st.lists(
    st.sampled_from(
        [b"a", b"B A", b"re", "ü".encode(), b"=?utf-8?q?=C3=BC?=", b" ", b"x"]
    ),
    max_size=4,
).map(b" ".join)
FIELD = st.tuples(st.sampled_from([b"Subject", b"From", b"X", b"subjects"]), VALUE)
HEADER = st.lists(FIELD.map(lambda one: b"%b: %b\r\n" % one), max_size=4).map(
    lambda lines: b"".join(lines) + b"\r\n"
)
FIELD_KEY = st.builds(
    Header, st.sampled_from(["subject", "FROM"]), st.sampled_from(WORDS)
)
FLAG_KEY = st.one_of(
    st.just(All()), st.builds(HasFlag, st.sampled_from(["\\seen", "WORK", DELETED]))
)


def trees(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(Or, inner, inner),
            st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        ),
        max_leaves=4,
    )


class CandidateTests(SynchronousTestCase):
    @given(key=trees(FIELD_KEY), headers=st.lists(HEADER, max_size=5))
    def test_no_header_that_matches_is_passed_over(self, key, headers):
        test = field_test(key)
        every = range(len(headers))
        matching = [at for at in every if test(headers[at], headers[at].lower())]
        places = candidates(key, headers)
        self.assertLessEqual(set(matching), set(places))
        self.assertEqual(list(places), sorted(set(places)))

    def test_headers_without_the_word_are_passed_over(self):
        headers = [b"Subject: one\r\n\r\n", b"Subject: TWO\r\n\r\n", b"X: two\r\n\r\n"]
        self.assertEqual(candidates(Header("subject", "two"), headers), [1, 2])

    @given(header=st.one_of(HEADER, st.binary(max_size=30)))
    def test_the_first_value_is_the_first_of_all(self, header):
        lower = header.lower()
        expected = next(values(lower, b"subject"), None)
        self.assertEqual(first_value(lower, b"subject", b"\nsubject"), expected)


class FlagKeyTests(SynchronousTestCase):
    @given(key=trees(FLAG_KEY), flags=st.frozensets(st.sampled_from([SEEN, "work"])))
    def test_flags_alone_answer_a_key_of_flags(self, key, flags):
        self.assertTrue(by_flags(key))
        self.assertEqual(flags_match(Not(key), flags), not flags_match(key, flags))

    def test_flags_compare_without_case(self):
        self.assertTrue(flags_match(HasFlag("\\SEEN"), frozenset({SEEN})))
        self.assertFalse(flags_match(HasFlag("\\SEEN"), frozenset({FLAGGED})))

    def test_other_keys_need_more_than_flags(self):
        for key in (HasFlag("\\recent"), Larger(1), Not(HasFlag("\\Recent"))):
            self.assertFalse(by_flags(And((HasFlag(SEEN), key))), key)
