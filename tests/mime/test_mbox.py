"""Tests for mailtwist.mime.mbox and mailtwist.mime.mbox_marks."""

import mailbox
import tempfile
from datetime import datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.flags import SYSTEM
from mailtwist.mime import mbox
from mailtwist.mime.mbox import PLAIN, Decoder, Form, Starts
from mailtwist.mime.mbox_marks import BLOCK_OCTETS, Base, Marks, block, marks_in

WHEN = datetime(2026, 11, 4, 20, 39, 3)
LINE = b"From ann@example.test Wed Nov  4 20:39:03 2026\n"

WORDS = st.sampled_from(
    [
        b"From ",
        b">",
        b">From ",
        b">>From x",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"Status: RO",
        b"\r\nX-UID: 7\r\n",
        b"X-Mbox-",
        b"X-Mbox-Form: mboxrd",
        b"Content-Length: 3\r\n",
        b"Lines: 4\r\n",
        b"x-imapbase: 1 2",
        b" folded",
        b"Subject: a",
        b"\0",
        b"\xff",
        LINE,
    ]
)
MESSAGES = st.lists(WORDS | st.binary(max_size=6), max_size=14).map(b"".join)
FLAGS = st.frozensets(st.sampled_from([*SYSTEM, "$Forwarded", "work", "k2"]))
UIDS = st.integers(1, 0xFFFFFFFF)
BASES = st.builds(Base, UIDS, UIDS, st.sampled_from([(), ("work",), ("a", "$b")]))
MARKS = st.builds(
    Marks, FLAGS, st.booleans(), st.none() | UIDS, st.none() | BASES, st.none()
)


def pieces(octets, cuts):
    """`octets` cut at some places."""
    at = 0
    for cut in sorted(cut % (len(octets) + 1) for cut in cuts):
        yield octets[at:cut]
        at = cut
    yield octets[at:]


CUTS = st.lists(st.integers(0, 10_000), max_size=5)


def stored(octets, cuts=(), marks=None, quoting=mbox.MBOXRD):
    """A message as it stands in a file, without its From_ line."""
    form = mbox.survey(pieces(octets, cuts), quoting)
    marks = marks or Marks()
    head = block(Marks(marks.flags, marks.old, marks.uid, marks.base, form))
    return head + b"".join(mbox.encoded(pieces(octets, cuts), form, quoting))


def shown(octets, cuts=()):
    """A message of a file as a client sees it."""
    said = marks_in(mbox.header_of(octets)).form
    form = mbox.form_in(octets, said)
    octets = mbox.without_end(octets, form)
    decoder = Decoder(form)
    whole = mbox.whole_lines(pieces(octets, cuts))
    return b"".join(decoder.take(piece) for piece in whole)


class ThereAndBackTests(SynchronousTestCase):
    @given(MESSAGES, CUTS, CUTS, MARKS)
    @example(b"", [], [], Marks())
    @example(b"\r\n", [], [], Marks())
    @example(b"From x\r\n>From y\r\n>>From", [3], [9], Marks())
    @example(b"Status: x\r\nLines: 3\r\n\r\nX-UID: 3\r\n", [12], [], Marks())
    def test_any_octets_come_back_as_they_were(self, octets, cuts, others, marks):
        self.assertEqual(shown(stored(octets, cuts, marks), others), octets)

    @given(MESSAGES, CUTS)
    def test_no_line_of_a_message_starts_another(self, octets, cuts):
        found = stored(octets, cuts)
        self.assertEqual(Starts().take(LINE + found), [(0, len(LINE))])
        self.assertNotIn(b"\nFrom ", found)
        self.assertTrue(found.endswith(b"\n"))

    @given(MESSAGES, MARKS)
    def test_what_a_message_says_is_no_mark(self, octets, marks):
        said = marks_in(mbox.header_of(stored(octets, (), marks)))
        self.assertEqual(
            (said.flags, said.old, said.uid, said.base),
            (marks.flags, marks.old, marks.uid, marks.base),
        )

    @given(st.lists(MESSAGES, max_size=4), CUTS)
    def test_any_split_finds_the_same_messages(self, messages, cuts):
        whole, want = b"", []
        for octets in messages:
            want.append((len(whole), len(whole) + len(LINE)))
            whole += LINE + stored(octets)
        starts, found = Starts(), []
        for piece in pieces(whole, cuts):
            found += starts.take(piece)
        self.assertEqual(found, want)

    @given(st.binary(max_size=200), CUTS)
    def test_arbitrary_octets_are_read(self, octets, cuts):
        self.assertIsInstance(shown(octets, cuts), bytes)
        marks_in(octets)
        starts = Starts()
        split = [one for piece in pieces(octets, cuts) for one in starts.take(piece)]
        self.assertEqual(split, Starts().take(octets))

    def test_the_usual_message_stands_as_it_is(self):
        octets = b"Subject: lunch\r\n\r\nAt noon?\r\n"
        self.assertEqual(mbox.survey([octets]), PLAIN)
        found = b"".join(mbox.encoded([octets], PLAIN))
        self.assertEqual(found, b"Subject: lunch\n\nAt noon?\n\n")

    def test_mboxo_quotes_once_and_says_nothing(self):
        octets = b"\r\nFrom a\r\n>From b\r\n"
        form = mbox.survey([octets], mbox.MBOXO)
        found = b"".join(mbox.encoded([octets], form, mbox.MBOXO))
        self.assertEqual((form, found), (PLAIN, b"\n>From a\n>From b\n\n"))


class ForeignTests(SynchronousTestCase):
    """What other programs wrote."""

    def test_what_is_shown(self):
        for written, seen, why in [
            (b"A: b\n\nc\n\n", b"A: b\r\n\r\nc\r\n", "the empty line is the file's"),
            (b"A: b\n\nc\n", b"A: b\r\n\r\nc\r\n", "the empty line was forgotten"),
            (b"A: b\r\n\r\nc\r\n\r\n", b"A: b\r\n\r\nc\r\n", "a file with CRLF"),
            (b"Status: RO\n\nc\n\n", b"\r\nc\r\n", "a mark at the top"),
            (b"A: b\nStatus: O\nX-Status: A\n\n\n", b"A: b\r\n\r\n", "marks behind"),
            (b"A: b\nSTATUS : RO\n\n\n", b"A: b\r\n\r\n", "any case"),
            (
                b"A: b\nContent-Length: 2\nLines: 1\n\nc\n\n",
                b"A: b\r\n\r\nc\r\n",
                "as mutt writes it",
            ),
            (b"Lines: 1\n\nc\n\n", b"Lines: 1\r\n\r\nc\r\n", "a field of news"),
            (b"\n>From a\n\n", b"\r\n>From a\r\n", "mboxo, or the sender's own"),
            (
                b"\n>From a\n>>From b\n\n",
                b"\r\nFrom a\r\n>From b\r\n",
                "only mboxrd writes >>From",
            ),
            (b"\nStatus: x\n\n", b"\r\nStatus: x\r\n", "text is no header"),
        ]:
            self.assertEqual(shown(written), seen, why)

    def test_lines_that_start_a_message(self):
        for line in (
            b"From a Wed Nov  4 20:39:03 2026\n",
            b"From a@b.test  Wed Nov  4 20:39:03 2026\n",
            b"From MAILER-DAEMON Wed Nov 04 20:39:03 2026\n",
            b"From a Wed Nov  4 20:39 2026\r\n",
            b"From a Wed Nov  4 20:39:03 CET 2026\n",
            b"From a Wed Nov  4 20:39:03 2026 +0100\n",
            b"From a b Wed Nov  4 20:39:03 26\n",
            b"From  Wed Nov  4 20:39:03 2026\n",
            b"From uucp Wed Nov  4 20:39:03 2026 remote from host\n",
        ):
            self.assertTrue(mbox.is_from_line(line), line)
            self.assertEqual(mbox.date_in(line).date(), WHEN.date(), line)

    def test_lines_that_do_not(self):
        for line in (
            b"From here on it was easy\n",
            b"From a Wed Nov  4 20:39:03 2026",
            b"From: a Wed Nov  4 20:39:03 2026\n",
            b">From a Wed Nov  4 20:39:03 2026\n",
            b"From " + b"a" * 1000 + b" Wed Nov  4 20:39:03 2026\n",
        ):
            self.assertFalse(mbox.is_from_line(line), line)

    def test_a_day_that_no_month_has(self):
        self.assertIsNone(mbox.date_in(b"From a Wed Feb 31 20:39:03 2026\n"))

    @given(
        st.binary(max_size=40), st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1))
    )
    def test_our_line_is_one(self, sender, when):
        line = mbox.from_line(sender, when)
        self.assertTrue(mbox.is_from_line(line))
        self.assertEqual(mbox.date_in(line), when.replace(microsecond=0))

    def test_a_null_sender(self):
        line = mbox.from_line(b"", WHEN)
        self.assertEqual(line, b"From MAILER-DAEMON Wed Nov  4 20:39:03 2026\n")

    @settings(max_examples=30)
    @given(st.lists(MESSAGES, min_size=1, max_size=4))
    def test_python_finds_as_many_messages(self, messages):
        with tempfile.NamedTemporaryFile() as file:
            for octets in messages:
                file.write(LINE + stored(octets))
            file.flush()
            found = mailbox.mbox(file.name, create=False)
            self.assertEqual(len(found), len(messages))
            found.close()


class MarksTests(SynchronousTestCase):
    @given(MARKS, st.builds(Form, *[st.booleans()] * 4))
    def test_there_and_back(self, marks, form):
        marks = Marks(marks.flags, marks.old, marks.uid, marks.base, form)
        said = marks_in(block(marks))
        self.assertEqual(
            said, marks if form != PLAIN else Marks(*list_of(marks)[:4], None)
        )

    @given(MARKS, MARKS)
    def test_a_block_fits_into_the_place_of_another(self, marks, other):
        first = block(marks)
        self.assertEqual(len(first) % BLOCK_OCTETS, 0)
        second = block(other, len(first))
        if len(block(other)) <= len(first):
            self.assertEqual(len(second), len(first))
        self.assertEqual(marks_in(second), marks_in(block(other)))

    def test_a_change_of_flags_keeps_the_length(self):
        marks = Marks(uid=7)
        octets = len(block(marks))
        seen = Marks(frozenset({"\\Seen", "\\Flagged"}), True, 7)
        self.assertEqual(len(block(seen, octets)), octets)

    def test_what_others_write(self):
        header = (
            b"X-IMAPbase: 1234567890 0000000012 work $Junk\n"
            b"Subject: x\nX-UID: 12\nStatus: RO\nX-Status: AF\nX-Keywords: work   \n"
        )
        self.assertEqual(
            marks_in(header),
            Marks(
                frozenset({"\\Seen", "\\Answered", "\\Flagged", "work"}),
                True,
                12,
                Base(1234567890, 12, ("work", "$Junk")),
            ),
        )
        self.assertTrue(marks_in(b"X-IMAP: 1234567890 12\n").pseudo)

    def test_nonsense_is_not_said(self):
        for header in (
            b"X-UID: 0\n",
            b"X-UID: 99999999999\n",
            b"X-UID: -1\n",
            b"X-IMAPbase: 0 1\n",
            b"X-IMAPbase: x\n",
            b"X-IMAP: \n",
            b"X-Keywords: a(b \\Seen *\n",
        ):
            self.assertEqual(marks_in(header), Marks(), header)


def list_of(marks):
    return [marks.flags, marks.old, marks.uid, marks.base, marks.form]
