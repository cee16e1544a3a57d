"""Tests for mailtwist.mime.date."""

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.date import day, moment


def at(hour, minute, second, offset_minutes):
    zone = timezone(timedelta(minutes=offset_minutes))
    return datetime(1997, 11, 21, hour, minute, second, tzinfo=zone)


class DateTests(SynchronousTestCase):
    def test_forms(self):
        for value, want in [
            (b" Fri, 21 Nov 1997 09:55:06 -0600\r\n", at(9, 55, 6, -360)),
            (b"21 Nov 1997 09:55 +0000", at(9, 55, 0, 0)),
            (b"Fri, 21 Nov 97 09:55:06 GMT", at(9, 55, 6, 0)),
            (b"Fri, 21 Nov 97 09:55:06 EST", at(9, 55, 6, -300)),
            (b"Fri, 21 Nov 97 09:55:06 pdt", at(9, 55, 6, -420)),
            (b"21 Nov 97 09:55:06 Z", at(9, 55, 6, 0)),
            (b"21 Nov 97 09:55:06 A", at(9, 55, 6, 0)),
            (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", at(9, 55, 6, -360)),
            (b"Fri, 21-Nov-1997 09:55:06 +0100 (CET)", at(9, 55, 6, 60)),
            (b"Friday, 21 November 1997 09:55:06 +0530", at(9, 55, 6, 330)),
            (b"Fri, 21 Nov 1997 23:59:60 -0000", at(23, 59, 59, 0)),
            (b"FRI, 21 NOV 1997 09:55:06", at(9, 55, 6, 0)),
        ]:
            self.assertEqual(moment(value), want, value)
            self.assertEqual(day(value), date(1997, 11, 21), value)

    def test_years_of_two_and_three_digits(self):
        for written, year in [(b"49", 2049), (b"50", 1950), (b"103", 2003)]:
            self.assertEqual(day(b"1 Jan " + written), date(year, 1, 1))

    def test_the_day_stands_without_a_time(self):
        self.assertEqual(day(b"1 Feb 2026 nonsense"), date(2026, 2, 1))
        self.assertIsNone(moment(b"1 Feb 2026 nonsense"))

    def test_no_date(self):
        for value in [b"", b"yesterday", b"31 Feb 2026", b"1 Foo 2026", b"0 Jan 2026"]:
            self.assertIsNone(day(value), value)
            self.assertIsNone(moment(value), value)
        self.assertIsNone(moment(b"1 Jan 2026 25:00:00 +0000"))

    @given(
        when=st.datetimes(
            min_value=datetime(1900, 1, 1),
            timezones=st.sampled_from(
                [UTC, timezone(timedelta(hours=-8)), timezone(timedelta(minutes=330))]
            ),
        )
    )
    def test_what_python_writes_is_read_back(self, when):
        when = when.replace(microsecond=0)
        value = format_datetime(when).encode()
        self.assertEqual(moment(value), when)
        self.assertEqual(day(value), when.date())

    @given(value=st.binary(max_size=60))
    def test_any_octets_are_a_date_or_none(self, value):
        found = day(b"1 Jan " + value)
        self.assertIsInstance(found, date | None)
        self.assertIsInstance(moment(value), datetime | None)
