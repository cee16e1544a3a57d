"""SORT: each key, the order of equals, and what is read for it."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.model import Column
from mailtwist.mailbox.sort import sort
from mailtwist.mailbox.threaded import threaded
from mailtwist.mailbox.turns import Turns
from mailtwist.mime.date import day, moment
from mailtwist.sort_key import SortCriterion, SortKey

from .search_mailbox import Searched, answer


def message(header, body="x"):
    return f"{header}\r\n\r\n{body}\r\n".encode()


MESSAGES = [
    (
        message(
            "From: Zoe <ann@b.test>\r\nTo: Bob <bob@z.test>\r\nSubject: Re: pear\r\n"
            "Date: Fri, 2 Jan 2026 00:30:00 +0100",
            "x" * 500,
        ),
        [],
        3000,
    ),
    (
        message(
            "From: =?utf-8?q?=C3=84nne?= <zed@b.test>\r\nCc: x@y.test\r\n"
            "Subject: [list] Apple\r\nDate: Thu, 1 Jan 2026 23:00:00 +0000"
        ),
        [],
        1000,
    ),
    (message("From: bob@a.test\r\nSubject: apple (fwd)\r\nDate: soon"), [], 2000),
    (message("Subject: zebra\r\nDate: 1 Jan 2026", "x" * 50), [], 4000),
]


class SortTests(SynchronousTestCase):
    def sorted(self, *criteria, messages=MESSAGES, view=None):
        mail = self.mail = Searched(self, messages)
        return answer(
            self,
            sort(
                mail.mailbox,
                criteria,
                mail.uids if view is None else view,
                pause=mail._pause,
            ),
        )

    def test_each_key(self):
        for key, wanted, why in [
            (SortKey.ARRIVAL, [2, 3, 1, 4], "the internal date"),
            (SortKey.SIZE, [3, 4, 2, 1], "octets"),
            (SortKey.DATE, [3, 4, 2, 1], "as UTC; no date: internal; no time: 00:00"),
            (SortKey.SUBJECT, [2, 3, 1, 4], "base subjects, equal ones as they stand"),
            (SortKey.FROM, [4, 1, 3, 2], "the local part; without the field first"),
            (SortKey.TO, [2, 3, 4, 1], "without the field first"),
            (SortKey.CC, [1, 3, 4, 2], "without the field first"),
            (SortKey.DISPLAYFROM, [4, 2, 3, 1], "name, else address; decoded"),
            (SortKey.DISPLAYTO, [2, 3, 4, 1], "without the field first"),
        ]:
            self.assertEqual(self.sorted(SortCriterion(key)), wanted, why)

    def test_reverse_leaves_equals_in_mailbox_order(self):
        found = self.sorted(SortCriterion(SortKey.SUBJECT, reverse=True))
        self.assertEqual(found, [4, 1, 2, 3])

    def test_the_second_key_orders_equals_of_the_first(self):
        found = self.sorted(SortCriterion(SortKey.SUBJECT), SortCriterion(SortKey.SIZE))
        self.assertEqual(found, [3, 2, 1, 4])

    def test_no_message_is_opened_and_columns_do_without_the_index(self):
        self.sorted(SortCriterion(SortKey.ARRIVAL), SortCriterion(SortKey.SIZE))
        self.assertTrue(self.mail.read_nothing())
        self.sorted(SortCriterion(SortKey.SUBJECT), SortCriterion(SortKey.FROM))
        self.assertEqual(self.mail.mailbox.asked(Column.FIELDS), len(MESSAGES))
        self.assertFalse(self.mail.mailbox.octets_asked)

    def test_only_what_was_asked_for_is_sorted(self):
        found = self.sorted(SortCriterion(SortKey.ARRIVAL), view=[1, 4])
        self.assertEqual(found, [1, 4])

    def test_messages_that_are_gone_are_left_out(self):
        mail = Searched(self, MESSAGES)
        mail.mailbox.gone = {2}
        criteria = [SortCriterion(SortKey.SUBJECT)]
        found = sort(mail.mailbox, criteria, mail.uids, pause=mail._pause)
        self.assertEqual(answer(self, found), [3, 1, 4])

    @settings(max_examples=40)
    @given(
        headers=st.lists(
            st.text(alphabet='SubjectFrom: <>@a"=?\r\n\t\x80é', max_size=60),
            min_size=1,
            max_size=6,
        ),
        key=st.sampled_from(SortKey),
        reverse=st.booleans(),
    )
    def test_any_headers_give_every_message_once(self, headers, key, reverse):
        messages = [(message("Subject: " + text), [], 5) for text in headers]
        found = self.sorted(SortCriterion(key, reverse), messages=messages)
        self.assertEqual(sorted(found), list(range(1, len(messages) + 1)))


TIMES = ["10:00:00", "23:59:60", "24:00:00", "9:5:1", "00:00", ""]
ZONES = [" +0000", " -0130", " +9959", " GMT", " +01", " +0100x", " (x)", ""]


class ThreadedTests(SynchronousTestCase):
    def test_what_threading_looks_at(self):
        mail = Searched(
            self,
            [
                (
                    message(
                        "Message-ID: <a@x>\r\nReferences: <r@x>\r\n <s@x>\r\n"
                        "In-Reply-To: <t@x>\r\nSubject: Re: [l] Ho"
                    ),
                    [],
                    7,
                ),
                (message("In-Reply-To: <t@x> <u@x>\r\nReferences: none"), [], 8),
            ],
        )
        turns = Turns(mail._pause)
        first, second = answer(self, threaded(mail.mailbox, mail.uids, turns=turns))
        self.assertEqual(first.message_id, b"a@x")
        self.assertEqual(first.references, (b"r@x", b"s@x"))
        self.assertEqual((first.subject, first.reply), ("ho", True))
        self.assertEqual(first.sent, 7.0)
        self.assertIsNone(second.message_id)
        self.assertEqual(second.references, (b"t@x",))

    @given(
        dates=st.lists(
            st.builds(
                "{}{} {} {} {}{}".format,
                st.sampled_from(["", "Tue, ", "tue,", "Tue "]),
                st.sampled_from(["1", "24", "31", "0", " 7"]),
                st.sampled_from(["Nov", "feb", "Xyz", "MAY"]),
                st.sampled_from(["2026", "0001", "9999", "99", "1970"]),
                st.sampled_from(TIMES),
                st.sampled_from(ZONES),
            ),
            min_size=1,
            max_size=6,
        )
    )
    @settings(max_examples=60)
    def test_any_date_is_the_moment_that_it_says(self, dates):
        mail = Searched(self, [(message(f"Date: {date}"), [], 7) for date in dates])
        turns = Turns(mail._pause)
        found = answer(self, threaded(mail.mailbox, mail.uids, turns=turns))
        for one, text in zip(found, dates, strict=True):
            at, on = moment(text.encode()), day(text.encode())
            if at is None and on is not None:
                at = datetime(on.year, on.month, on.day, tzinfo=UTC)
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            expected = 7.0 if at is None else (at - epoch).total_seconds()
            self.assertEqual(one.sent, expected, text)
