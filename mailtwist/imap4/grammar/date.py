"""date and date-time (RFC 3501 §9), read and written."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from ...errors import SyntaxFault
from .scanner import CommandScanner

MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_MONTH = {name.upper().encode(): at for at, name in enumerate(MONTHS, 1)}
_MONTH_NAME = rb"(%b)" % b"|".join(_MONTH)

DATE = re.compile(rb'("?)([0-9]{1,2})-%b-([0-9]{4})\1(?![0-9"])' % _MONTH_NAME, re.I)
DATE_TIME = re.compile(
    rb'"([ 0-9][0-9]|[0-9])-%b-([0-9]{4}) '
    rb'([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"' % _MONTH_NAME,
    re.I,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day(s: CommandScanner) -> date:
    """date: a day without zone, quoted or not."""
    at = s.at
    found = s.match(DATE, "a date")
    try:
        return date(int(found[4]), _MONTH[found[3].upper()], int(found[2]))
    except ValueError as fault:
        raise SyntaxFault("a day of the calendar", at) from fault


def date_time(s: CommandScanner) -> int:
    """date-time: seconds since 1970 UTC, negative for days before it.

    Quirk: a day below 10 may come without its space.
    """
    at = s.at
    found = s.match(DATE_TIME, "a date and time")
    months, hour, minute, second = found[2].upper(), found[4], found[5], found[6]
    offset = timedelta(hours=int(found[8]), minutes=int(found[9]))
    if found[7] == b"-":
        offset = -offset
    try:
        moment = datetime(
            *(int(found[3]), _MONTH[months], int(found[1])),
            *(int(hour), int(minute), min(int(second), 59)),  # 60 is a leap second
            tzinfo=timezone(offset),
        )
        return (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError) as fault:
        raise SyntaxFault("a day and time of the calendar", at) from fault


def encode_date_time(seconds: int) -> bytes:
    """date-time in UTC with its quotes; at most the years 1 to 9999."""
    least, most = -62_135_596_800, 253_402_300_799
    moment = _EPOCH + timedelta(seconds=max(least, min(seconds, most)))
    name = MONTHS[moment.month - 1]
    return (
        f'"{moment.day:2}-{name}-{moment.year:04}'
        f' {moment.hour:02}:{moment.minute:02}:{moment.second:02} +0000"'
    ).encode()
