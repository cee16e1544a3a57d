"""SEARCH: every key, the charset, the returns."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist import search_key as k
from mailtwist.errors import BadCharset, BadParameter, SyntaxFault
from mailtwist.imap4.grammar.scanner import MOST_LEVELS
from mailtwist.imap4.grammar.search import CHARSETS
from mailtwist.imap4.types_search import PartialRange, Returns, SearchReturn
from mailtwist.seqset import SAVED, STAR, SequenceSet

from ..talk import asked

SEEN = k.HasFlag("\\Seen")
RECENT = k.HasFlag("\\Recent")
DAY = date(2020, 2, 1)


def numbers(*ranges):
    return SequenceSet.of(ranges)


def key(text):
    return asked(b"SEARCH " + text).key


KEYS = [
    (b"ALL", k.All()),
    (b"answered", k.HasFlag("\\Answered")),
    (b"UNDELETED", k.Not(k.HasFlag("\\Deleted"))),
    (b"NEW", k.And((RECENT, k.Not(SEEN)))),
    (b"OLD", k.Not(RECENT)),
    (b"RECENT", RECENT),
    (b"OLDER 3600", k.Older(3600)),
    (b"YOUNGER 1", k.Younger(1)),
    (b"KEYWORD $Junk", k.HasFlag("$Junk")),
    (b"UNKEYWORD $Junk", k.Not(k.HasFlag("$Junk"))),
    (b"KEYWORD \\seen", SEEN),
    (b"FROM ann", k.Header("From", "ann")),
    (b'SUBJECT "a b"', k.Header("Subject", "a b")),
    (b"TO {3+}\r\nbob", k.Header("To", "bob")),
    (b"CC x", k.Header("Cc", "x")),
    (b"BCC x", k.Header("Bcc", "x")),
    (b'HEADER X-Spam ""', k.Header("X-Spam", "")),
    (b"BODY x", k.Body("x")),
    (b"TEXT x", k.Text("x")),
    (b"BEFORE 1-Feb-2020", k.InternalDate(k.When.BEFORE, DAY)),
    (b'ON "1-Feb-2020"', k.InternalDate(k.When.ON, DAY)),
    (b"SINCE 1-feb-2020", k.InternalDate(k.When.SINCE, DAY)),
    (b"SENTBEFORE 1-Feb-2020", k.SentDate(k.When.BEFORE, DAY)),
    (b"SENTON 01-Feb-2020", k.SentDate(k.When.ON, DAY)),
    (b"SENTSINCE 1-Feb-2020", k.SentDate(k.When.SINCE, DAY)),
    (b"SAVEDBEFORE 1-Feb-2020", k.SavedDate(k.When.BEFORE, DAY)),
    (b"SAVEDON 1-Feb-2020", k.SavedDate(k.When.ON, DAY)),
    (b"savedsince 1-Feb-2020", k.SavedDate(k.When.SINCE, DAY)),
    (b"SAVEDATESUPPORTED", k.SaveDateSupported()),
    (b"EMAILID M0-a_", k.EmailId("M0-a_")),
    (b"threadid Tx", k.ThreadId("Tx")),
    (b"(EMAILID M1)", k.EmailId("M1")),
    (b"LARGER 10", k.Larger(10)),
    (b"SMALLER 0", k.Smaller(0)),
    (b"UID 1:*", k.InUid(numbers((1, STAR)))),
    (b"2,4:7", k.InSequence(numbers((2, 2), (4, 7)))),
    (b"*", k.InSequence(numbers((STAR, STAR)))),
    (b"MODSEQ 5", k.ModSeq(5)),
    (b'MODSEQ "/flags/\\\\draft" all 620162338', k.ModSeq(620162338)),
    (b"NOT SEEN", k.Not(SEEN)),
    (b"OR SEEN NOT RECENT", k.Or(SEEN, k.Not(RECENT))),
    (b"(SEEN RECENT)", k.And((SEEN, RECENT))),
    (b"(SEEN)", SEEN),
    (b"SEEN RECENT", k.And((SEEN, RECENT))),
    (b"OR (SEEN RECENT) NOT (1)", None),
    (b"SEEN ", SEEN),
]


class SearchTests(SynchronousTestCase):
    def test_every_key(self):
        for text, wanted in KEYS:
            if wanted is None:
                left, right = k.And((SEEN, RECENT)), k.InSequence(numbers((1, 1)))
                wanted = k.Or(left, k.Not(right))
            self.assertEqual(key(text), wanted, text)

    def test_faults(self):
        for text, fault, why in [
            (b"", SyntaxFault, "nothing"),
            (b"FOO", BadParameter, "unknown key"),
            (b"NOT", SyntaxFault, "NOT what"),
            (b"OR SEEN", SyntaxFault, "OR what"),
            (b"()", SyntaxFault, "empty list"),
            (b"(SEEN", SyntaxFault, "open list"),
            (b"SEEN)", SyntaxFault, "closed too often"),
            (b"SINCE yesterday", SyntaxFault, "no date"),
            (b"LARGER -1", SyntaxFault, "negative"),
            (b"UID x", SyntaxFault, "no set"),
            (b"FROM", SyntaxFault, "FROM what"),
            (b'FROM "\xff"', SyntaxFault, "not UTF-8"),
            (b'HEADER "\xc3\xa4" x', SyntaxFault, "a field name is ASCII"),
            (b"MODSEQ -1", SyntaxFault, "no mod-sequence"),
            (b'MODSEQ "/flags/x" foo 1', BadParameter, "unknown entry type"),
            (b"RETURN (FOO) ALL", BadParameter, "unknown return option"),
            (b"RETURN MIN ALL", BadParameter, "options without a list"),
            (b"CHARSET UTF-8", SyntaxFault, "charset of nothing"),
        ]:
            with self.assertRaises(fault, msg=why):
                key(text)

    def test_deep_nesting_is_refused_without_a_crash(self):
        deep = MOST_LEVELS - 1
        self.assertIsInstance(key(b"NOT " * deep + b"SEEN"), k.Not)
        for text in (
            b"NOT " * 10_000 + b"SEEN",
            b"(" * 10_000 + b"SEEN" + b")" * 10_000,
            b"OR " * 5_000 + b"SEEN " * 5_001,
            b"OR SEEN " * 5_000 + b"SEEN",
        ):
            with self.assertRaises(SyntaxFault):
                key(text)

    def test_a_long_flat_search_is_no_nesting(self):
        found = key(b" ".join([b"NOT SEEN"] * 5000))
        self.assertEqual(len(found.keys), 5000)

    def test_needles_are_read_in_their_charset(self):
        for charset, octets, text in [
            (b"UTF-8", b"\xc3\xa4", "\xe4"),
            (b"utf-8", b"\xc3\xa4", "\xe4"),
            (b'"ISO-8859-1"', b"\xe4", "\xe4"),
            (b"ISO-8859-15", b"\xa4", "\u20ac"),
            (b"KOI8-R", b"\xc1", "\u0430"),
            (b"Shift_JIS", b"\x93\xfa", "\u65e5"),
            (b"US-ASCII", b"a", "a"),
        ]:
            found = key(
                b"CHARSET %b SUBJECT {%d+}\r\n%b" % (charset, len(octets), octets)
            )
            self.assertEqual(found, k.Header("Subject", text))

    def test_utf8_is_taken_without_being_named(self):
        self.assertEqual(key(b'TEXT "\xc3\xa4"'), k.Text("\xe4"))

    def test_octets_that_do_not_fit_the_charset_are_bad(self):
        for charset in (b"US-ASCII", b"UTF-8", b"EUC-JP"):
            with self.assertRaises(SyntaxFault):
                key(b"CHARSET " + charset + b' TEXT "\xff\xff"')

    def test_unknown_and_unsafe_charsets_are_refused(self):
        for charset in (b"X-FOO", b"UTF-7", b"UTF-16", b"rot13", b"idna", b"hex", b"."):
            with self.assertRaises(BadCharset, msg=charset):
                key(b"CHARSET " + charset + b" ALL")

    def test_every_charset_named_is_one_python_reads(self):
        for name in CHARSETS:
            self.assertEqual(
                key(b"CHARSET " + name.encode() + b" TEXT a"), k.Text("a"), name
            )

    def test_returns(self):
        for text, wanted in [
            (b"ALL", None),
            (b"RETURN () ALL", {SearchReturn.ALL}),
            (b"RETURN (min COUNT) ALL", {SearchReturn.MIN, SearchReturn.COUNT}),
            (b"RETURN (ALL) CHARSET UTF-8 ALL", {SearchReturn.ALL}),
        ]:
            returns = wanted and Returns(frozenset(wanted))
            self.assertEqual(asked(b"SEARCH " + text).returns, returns)

    def test_partial_ranges_are_read_either_way_round(self):
        for text, wanted in [
            (b"1:500", PartialRange(1, 500)),
            (b"500:1", PartialRange(1, 500)),
            (b"-1:-100", PartialRange(1, 100, from_end=True)),
            (b"-100:-1", PartialRange(1, 100, from_end=True)),
        ]:
            found = asked(b"UID SEARCH RETURN (PARTIAL %b) ALL" % text).returns
            self.assertEqual(found, Returns(frozenset(), wanted))

    def test_partial_ranges_that_are_none(self):
        for text in (b"0:1", b"1", b"1:*", b"-1:2", b"1:4294967296", b"1:2 ALL"):
            with self.assertRaises((SyntaxFault, BadParameter), msg=text):
                asked(b"UID SEARCH RETURN (PARTIAL %b) ALL" % text)

    def test_the_saved_result_is_a_key_and_a_set(self):
        self.assertEqual(key(b"$"), k.Saved())
        self.assertEqual(key(b"UID $"), k.Saved())
        self.assertEqual(key(b"OR $ 1"), k.Or(k.Saved(), k.InSequence(numbers((1, 1)))))
        self.assertIs(asked(b"FETCH $ FLAGS").sequence_set, SAVED)
        with self.assertRaises(SyntaxFault):
            asked(b"FETCH $,1 FLAGS")

    def test_modseq_anywhere_is_told(self):
        self.assertTrue(asked(b"SEARCH NOT (SEEN OR 1 MODSEQ 7)").uses_modseq)
        self.assertFalse(asked(b"SEARCH SUBJECT MODSEQ").uses_modseq)
        self.assertTrue(asked(b"UID SEARCH ALL").uid)

    @settings(max_examples=150)
    @given(
        keys=st.recursive(
            st.sampled_from([pair for pair in KEYS[:30] if pair[1] is not None]),
            lambda inner: st.one_of(
                inner.map(lambda a: (b"NOT " + a[0], k.Not(a[1]))),
                st.tuples(inner, inner).map(
                    lambda p: (b"OR %b %b" % (p[0][0], p[1][0]), k.Or(p[0][1], p[1][1]))
                ),
                st.lists(inner, min_size=2, max_size=3).map(
                    lambda p: (
                        b"(%b)" % b" ".join(a for a, _ in p),
                        k.And(tuple(b for _, b in p)),
                    )
                ),
            ),
            max_leaves=8,
        )
    )
    def test_keys_combine(self, keys):
        text, wanted = keys
        self.assertEqual(key(text), wanted)
