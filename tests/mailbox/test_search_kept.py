"""SEARCH on what the store keeps of messages (RFC 8474 §6, RFC 8514 §4.3)."""

from datetime import date

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.model import Column
from mailtwist.search_key import (
    EmailId,
    Not,
    Or,
    SaveDateSupported,
    SavedDate,
    ThreadId,
    When,
)

from .search_mailbox import Searched, answer

SAVED = date(1970, 1, 12)  # 1,000,000 s
MESSAGES = [
    (b"Message-ID: <1@x>\r\n\r\n", (), 86_400),
    (b"Message-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n\r\n", (), 5_000_000),
    (b"Message-ID: <3@x>\r\n\r\n", (), 5),
]


class Unsaved:
    """A mailbox of a store that knows nothing but messages."""

    def __init__(self, inside):
        self._inside = inside
        self.rows, self.octets = inside.rows, inside.octets

    async def rendered(self, uids, columns):
        return [(b"",) * len(columns) for _ in uids]


class KeptTests(SynchronousTestCase):
    def setUp(self):
        self.searched = Searched(self, MESSAGES)

    def told(self, column, letter):
        rows = answer(self, self.searched.mailbox.rendered([1, 2, 3], (column,)))
        return [letter + row[0].decode() for row in rows]

    def test_identifiers_are_compared_whole_and_with_their_letter(self):
        mails = self.told(Column.EMAIL_ID, "M")
        threads = self.told(Column.THREAD_ID, "T")
        for key, wanted, why in (
            (EmailId(mails[1]), [2], "its own"),
            (Or(EmailId(mails[0]), EmailId(mails[2])), [1, 3], "any of some"),
            (EmailId(mails[1].lower()), [], "case counts"),
            (EmailId(mails[1][1:]), [], "the letter belongs to it"),
            (EmailId(threads[0]), [], "no two kinds are the same"),
            (ThreadId(threads[0]), [1, 2], "the answer too"),
            (Not(ThreadId(threads[0])), [3], "all others"),
            (ThreadId("T"), [], "nothing"),
        ):
            self.assertEqual(self.searched.found(key), wanted, why)

    def test_a_column_of_the_state_is_asked_for_once(self):
        self.searched.found(Or(EmailId("M1"), Or(EmailId("M2"), EmailId("M3"))))
        self.assertEqual(self.searched.mailbox.asked(Column.EMAIL_ID), 3)

    def test_save_dates_are_those_of_the_mailbox(self):
        for key, wanted, why in (
            (SavedDate(When.ON, SAVED), [1, 2, 3], "whatever the internal date"),
            (SavedDate(When.BEFORE, SAVED), [], "not the day itself"),
            (SavedDate(When.SINCE, SAVED), [1, 2, 3], "the day itself"),
            (SavedDate(When.SINCE, date(1970, 1, 13)), [], "later"),
            (SaveDateSupported(), [1, 2, 3], "they are known"),
        ):
            self.assertEqual(self.searched.found(key), wanted, why)

    def test_without_save_dates_internal_dates_stand_for_them(self):
        self.searched.mailbox = Unsaved(self.searched.mailbox)
        for key, wanted, why in (
            (SavedDate(When.BEFORE, SAVED), [1, 3], "internal dates"),
            (SaveDateSupported(), [], "not here"),
            (EmailId("M"), [], "no identifier is none"),
        ):
            self.assertEqual(self.searched.found(key), wanted, why)
