"""date and date-time."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import SyntaxFault
from mailtwist.imap4.framer import Frame
from mailtwist.imap4.grammar.date import date_time, day, encode_date_time
from mailtwist.imap4.grammar.scanner import CommandScanner


def parse(rule, text):
    s = CommandScanner(Frame(text))
    found = rule(s)
    s.end()
    return found


class DateTests(SynchronousTestCase):
    def test_days(self):
        for text, wanted in [
            (b"1-Feb-1994", date(1994, 2, 1)),
            (b"01-feb-1994", date(1994, 2, 1)),
            (b'"29-FEB-2024"', date(2024, 2, 29)),
        ]:
            self.assertEqual(parse(day, text), wanted)

    def test_moments(self):
        for text, wanted, why in [
            (b'" 1-Jan-1970 00:00:00 +0000"', 0, "the epoch"),
            (b'"17-Jul-1996 02:44:25 -0700"', 837596665, "RFC 3501's example"),
            (b'"1-Jan-1970 00:00:00 +0000"', 0, "quirk: no space before the day"),
            (b'"01-Jan-1970 01:00:00 +0100"', 0, "zero and zone"),
            (b'" 1-Jan-1970 00:00:60 +0000"', 59, "a leap second"),
            (b'"31-Dec-1969 23:59:59 +0000"', -1, "before the epoch"),
        ]:
            self.assertEqual(parse(date_time, text), wanted, why)

    def test_what_is_no_date_is_refused(self):
        for rule, text in [
            (day, b"30-Feb-2024"),
            (day, b"0-Jan-2024"),
            (day, b"1-Foo-2024"),
            (day, b"1-Jan-24"),
            (day, b"1-Jan-0000"),
            (day, b'"1-Jan-2024'),
            (day, b"2024-01-01"),
            (date_time, b'"17-Jul-1996 02:44:25"'),
            (date_time, b'"17-Jul-1996 25:44:25 +0000"'),
            (date_time, b'"17-Jul-1996 02:44:25 +9900"'),
            (date_time, b'"17-Jul-1996 02:44:25 GMT"'),
            (date_time, b"17-Jul-1996 02:44:25 +0000"),
        ]:
            with self.assertRaises(SyntaxFault, msg=text):
                parse(rule, text)

    @settings(max_examples=100)
    @given(seconds=st.integers(-62_135_596_800, 253_402_300_799))
    def test_a_moment_comes_back(self, seconds):
        self.assertEqual(parse(date_time, encode_date_time(seconds)), seconds)

    def test_moments_beyond_the_calendar_are_told_as_its_ends(self):
        self.assertIn(b"31-Dec-9999", encode_date_time(10**15))
        self.assertIn(b" 1-Jan-0001", encode_date_time(-(10**15)))
