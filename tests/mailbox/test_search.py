"""Tests for mailtwist.mailbox.search: each key, and how little is read for it."""

from calendar import timegm
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.model import Column
from mailtwist.search_key import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    InSequence,
    InternalDate,
    InUid,
    Larger,
    ModSeq,
    Not,
    Or,
    SentDate,
    Smaller,
    Text,
    When,
)
from mailtwist.seqset import STAR, SequenceSet

from .search_mailbox import Searched


def at(day, hour=0):
    return timegm((2026, 1, day, hour, 0, 0))


def message(subject="x", body="body", *, header=""):
    return f"Subject: {subject}\r\n{header}\r\n{body}\r\n".encode()


MESSAGES = [
    (message("one", header="Date: 1 Jan 2026 23:59 -1200\r\n"), ["\\Seen"], at(1)),
    (message("two", "x" * 100), ["\\Seen", "$Work"], at(2, 23)),
    (message("three", header="Date: 2 Jan 2026\r\n"), ["\\Deleted"], at(3)),
    (message("four", header="Date: broken\r\n"), [], at(4, 1)),
]


class ColumnTests(SynchronousTestCase):
    def setUp(self):
        self.mail = Searched(self, MESSAGES)

    def test_keys(self):
        numbers = SequenceSet.of([(2, 3)])
        day = date(2026, 1, 2)
        for key, want, reason in [
            (All(), [1, 2, 3, 4], "everything"),
            (HasFlag("\\Seen"), [1, 2], "a system flag"),
            (HasFlag("\\SEEN"), [1, 2], "in any case"),
            (HasFlag("$work"), [2], "a keyword in any case"),
            (HasFlag("$other"), [], "a keyword nothing has"),
            (HasFlag("\\Recent"), [4], "what the session says is recent"),
            (InSequence(numbers), [2, 3], "sequence numbers"),
            (InUid(SequenceSet.of([(3, 99)])), [3, 4], "UIDs beyond the last"),
            (InUid(SequenceSet.of([(STAR, 99)])), [4], "* is the last in use"),
            (InSequence(SequenceSet.of([(STAR, STAR)])), [4], "* as a number"),
            (InternalDate(When.BEFORE, day), [1], "before the day"),
            (InternalDate(When.ON, day), [2], "on the day, at its end"),
            (InternalDate(When.SINCE, day), [2, 3, 4], "on the day or later"),
            (SentDate(When.BEFORE, day), [1], "Date as written, whatever its zone"),
            (SentDate(When.ON, day), [3], "a Date without a time"),
            (SentDate(When.SINCE, day), [3], "without a Date there is no day"),
            (Not(SentDate(When.SINCE, day)), [1, 2, 4], "and NOT has all others"),
            (Larger(80), [2], "larger"),
            (Smaller(len(MESSAGES[3][0])), [], "exactly as large is not smaller"),
            (Smaller(len(MESSAGES[3][0]) + 1), [4], "one more is"),
            (ModSeq(10**6), [], "a MODSEQ to come"),
            (ModSeq(1), [1, 2, 3, 4], "a MODSEQ of old"),
            (Not(HasFlag("\\Seen")), [3, 4], "not"),
            (Or(HasFlag("\\Deleted"), HasFlag("$Work")), [2, 3], "or"),
            (And((HasFlag("\\Seen"), HasFlag("$Work"))), [2], "and"),
            (And(()), [1, 2, 3, 4], "and of nothing is everything"),
            (And((Not(All()), Body("x"))), [], "nothing left"),
        ]:
            self.assertEqual(self.mail.found(key, recent={4}), want, reason)

    def test_numbers_are_positions_in_the_sessions_view(self):
        first = InSequence(SequenceSet.of([(1, 1)]))
        self.assertEqual(self.mail.found(first, view=[2, 3]), [2])
        self.assertEqual(self.mail.found(first, view=[]), [])

    def test_messages_the_session_was_not_told_of_do_not_match(self):
        self.assertEqual(self.mail.found(Not(HasFlag("\\Deleted")), view=[1, 3]), [1])

    def test_flags_and_sizes_open_nothing(self):
        self.mail.found(And((HasFlag("\\Seen"), Larger(1), ModSeq(1))))
        self.assertTrue(self.mail.read_nothing())
        self.assertEqual(len(self.mail.mailbox.rows_asked), 1)

    def test_numbers_need_no_columns(self):
        self.mail.found(And((InSequence(SequenceSet.of([(1, 2)])), Not(All()))))
        self.assertEqual(self.mail.mailbox.rows_asked, [])

    def test_messages_that_are_gone_match_nothing(self):
        for key in [
            HasFlag("\\Seen"),
            Not(HasFlag("\\Seen")),
            Header("subject", "one"),
            Not(Header("subject", "one")),
            Not(Header("x-rare", "one")),
            Not(Body("nothing")),
            Not(Text("nothing")),
        ]:
            self.mail.mailbox.gone = {1}
            self.assertNotIn(1, self.mail.found(key), key)


class HeaderTests(SynchronousTestCase):
    def check(self, octets, name, needle, want, reason):
        mail = Searched(self, [(octets, [], 0)])
        self.assertEqual(mail.found(Header(name, needle)), [1] if want else [], reason)
        other = octets.replace(name.encode() + b":", b"X-Rare:", 1)
        mail = Searched(self, [(other, [], 0)])
        found = mail.found(Header("x-rare", needle))
        self.assertEqual(found, [1] if want else [], f"{reason}, not kept")

    def test_values(self):
        for value, needle, want, reason in [
            (b"Hello World", "hello", True, "any case"),
            (b"Hello World", "o w", True, "a part"),
            (b"Hello World", "worldly", False, "more than is there"),
            (b"Hello\r\n World", "hello world", True, "over a fold"),
            (b"Hello\r\n\tWorld", "hello world", True, "over a fold made with a tab"),
            (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "gr\xfcsse", True, "an encoded word"),
            (b"=?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?=", "\xfc\xdfe", True, "two"),
            (b"=?utf-8?q?abc?=", "utf-8", False, "not what it is encoded with"),
            (b"=?utf-8?q?a_b?= c", "a b c", True, "a word and plain text"),
            (b"Gr\xc3\xbc\xc3\x9fe", "GR\xdcSSE", True, "raw UTF-8"),
            (b"Gr\xfc\xdfe", "gr\xfc", True, "raw Latin-1"),
            (b"plain", "gr\xfc", False, "a needle that ASCII cannot hold"),
            (b"a@example.org", "@example", True, "an address"),
            (b"", "", True, "an empty value has the empty needle"),
            (b"x", "", True, "and so has any"),
            (b"", "x", False, "an empty value has nothing else"),
        ]:
            octets = b"Subject: %b\r\nX: y\r\n\r\nHello body worldly" % value
            self.check(octets, "Subject", needle, want, reason)

    def test_only_that_field_counts(self):
        for octets, want, reason in [
            (b"From: a\r\nTo: needle\r\n\r\n", False, "another field"),
            (b"From-X: needle\r\n\r\n", False, "a longer name"),
            (b"X-From: needle\r\n\r\n", False, "a longer name in front"),
            (b"FROM : needle\r\n\r\n", True, "a space before the colon"),
            (b"From: a\r\nfrom: needle\r\n\r\n", True, "a second one"),
            (b"To: x\r\n from: needle\r\n\r\n", False, "in a folded line"),
            (b"\r\nFrom: needle\r\n", False, "in the body"),
            (b"From: needle", True, "at the end of everything"),
        ]:
            mail = Searched(self, [(octets, [], 0)])
            self.assertEqual(mail.found(Header("from", "needle")) == [1], want, reason)

    def test_a_field_that_is_not_there(self):
        mail = Searched(self, MESSAGES)
        self.assertEqual(mail.found(Header("cc", "")), [])
        self.assertEqual(mail.found(Header("x-rare", "")), [])
        self.assertEqual(mail.found(Not(Header("bcc", "x"))), [1, 2, 3, 4])

    def test_kept_fields_open_no_message(self):
        mail = Searched(self, MESSAGES)
        key = Or(Header("subject", "o"), Or(Header("From", "x"), Header("TO", "x")))
        mail.found(And((key, SentDate(When.ON, date(2026, 1, 1)))))
        self.assertEqual(mail.mailbox.octets_asked, [])
        self.assertEqual(mail.mailbox.asked(Column.FIELDS), 4)

    def test_other_fields_read_the_header_only(self):
        mail = Searched(self, [(message(body="x" * 5000), [], 0)])
        mail.found(Header("received", "x"))
        self.assertLess(sum(mail.mailbox.octets_asked), 100)


class CheapestFirstTests(SynchronousTestCase):
    def test_bodies_are_read_of_what_is_left(self):
        mail = Searched(self, MESSAGES)
        key = And((Body("body"), Header("subject", "o"), HasFlag("\\Seen"), Larger(70)))
        self.assertEqual(mail.found(key), [])
        self.assertEqual(mail.mailbox.asked(Column.FIELDS), 1)
        self.assertEqual(len(mail.mailbox.octets_asked), 0 + 1)

    def test_or_reads_only_what_the_first_did_not_find(self):
        mail = Searched(self, MESSAGES)
        self.assertEqual(mail.found(Or(HasFlag("\\Seen"), Body("body"))), [1, 2, 3, 4])
        self.assertEqual(mail.mailbox.asked(Column.PARTS), 2)


# -- any tree of keys, against the plainest reading of the RFC ---------------------

WORDS = st.sampled_from(["red", "Green", "bl\xfce", "green blue"])
MAIL = st.lists(
    st.tuples(
        WORDS,
        WORDS,
        st.sets(st.sampled_from(["\\Seen", "\\Flagged", "$x"])),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=5,
)
NEEDLES = st.sampled_from(["re", "GREEN", "\xfc", "blue", "n b"])
DAYS = st.builds(date, st.just(2026), st.just(1), st.integers(1, 4))
LEAVES = st.one_of(
    st.just(All()),
    st.builds(HasFlag, st.sampled_from(["\\Seen", "\\Flagged", "$X"])),
    st.builds(Header, st.just("Subject"), NEEDLES),
    st.builds(Header, st.just("X-Rare"), NEEDLES),
    st.builds(Body, NEEDLES),
    st.builds(Text, NEEDLES),
    st.builds(InternalDate, st.sampled_from(When), DAYS),
    st.builds(SentDate, st.sampled_from(When), DAYS),
    st.builds(Larger, st.integers(90, 130)),
    st.builds(InUid, st.integers(1, 5).map(lambda n: SequenceSet.of_numbers([n]))),
)
KEYS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Or, inner, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def written(subject, body, day):
    return (
        f"Subject: {subject}\r\nX-Rare: {body}\r\nDate: {day} Jan 2026 12:00 +0000\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    ).encode()


def matches(key, uid, subject, body, flags, day):
    def has(text, needle):
        return needle.lower() in text.lower()

    def again(inner):
        return matches(inner, uid, subject, body, flags, day)

    match key:
        case HasFlag(flag):
            return flag.lower() in {one.lower() for one in flags}
        case Header(name, needle):
            return has(subject if name == "Subject" else body, needle)
        case Body(needle):
            return has(body, needle)
        case Text(needle):
            return has(written(subject, body, day).decode(), needle)
        case InternalDate(when, wanted) | SentDate(when, wanted):
            order = (day > wanted.day) - (day < wanted.day)
            return {When.BEFORE: order < 0, When.ON: not order}.get(when, order >= 0)
        case Larger(octets):
            return len(written(subject, body, day)) > octets
        case InUid(uids):
            return uid in uids
        case Not(inner):
            return not again(inner)
        case Or(left, right):
            return again(left) or again(right)
        case And(keys):
            return all(map(again, keys))
    return True


class AnyKeyTests(SynchronousTestCase):
    @given(mail=MAIL, key=KEYS)
    @settings(max_examples=200)
    def test_any_tree_of_keys(self, mail, key):
        searched = Searched(
            self,
            [(written(s, b, day), flags, at(day, 12)) for s, b, flags, day in mail],
        )
        wanted = [
            uid
            for uid, (subject, body, flags, day) in enumerate(mail, 1)
            if matches(key, uid, subject, body, flags, day)
        ]
        self.assertEqual(searched.found(key), wanted)
