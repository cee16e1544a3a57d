"""Dates of header fields (RFC 5322 §3.3 and the obsolete forms of §4.3)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

_MONTHS = {
    name: number
    for number, name in enumerate(
        b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1
    )
}
# Minutes east of Greenwich; the military letters and unknown names mean "-0000"
# (RFC 5322 §4.3), that is UTC with nothing said about the place.
_ZONES = {
    b"est": -300,
    b"edt": -240,
    b"cst": -360,
    b"cdt": -300,
    b"mst": -420,
    b"mdt": -360,
    b"pst": -480,
    b"pdt": -420,
}
_DAY = re.compile(
    rb"\s*(?:[a-z]{3,9}\s*[.,]?\s*)?(\d{1,2})[\s-]+([a-z]{3})[a-z]*[\s.,-]+(\d{2,4})\b",
    re.I,
)
_TIME = re.compile(
    rb"[\s,]+(\d{1,2})\s*[:.]\s*(\d{2})(?:\s*[:.]\s*(\d{2})(?:\.\d+)?)?"
    rb"(?:\s*([+-]\d{4})\b|\s*([a-z]+))?",
    re.I,
)
_COMMENTS = re.compile(rb"\([^()]*\)")


def day(value: bytes) -> date | None:
    """The date as written, disregarding time and zone; None if there is none."""
    found = _day(value)
    return found[0] if found else None


def moment(value: bytes) -> datetime | None:
    """The date and time with its zone (UTC if unknown); None if it cannot be read."""
    found = _day(value)
    if not found:
        return None
    whole, value, at = found
    match = _TIME.match(value, at)
    if not match:
        return None
    hour, minute, second, offset, name = match.groups()
    zone = UTC
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[3:5])
        if minutes < 24 * 60:
            zone = timezone(
                timedelta(minutes=-minutes if offset[:1] == b"-" else minutes)
            )
    elif name:
        zone = timezone(timedelta(minutes=_ZONES.get(name.lower(), 0)))
    try:
        return datetime(
            whole.year,
            whole.month,
            whole.day,
            int(hour),
            int(minute),
            min(int(second or 0), 59),  # a leap second has no place in datetime
            tzinfo=zone,
        )
    except ValueError:
        return None


def _day(value: bytes) -> tuple[date, bytes, int] | None:
    """(the day, the value without comments, the offset behind the year)."""
    if b"(" in value:
        value = _COMMENTS.sub(b" ", value)
    match = _DAY.match(value)
    if not match:
        return None
    month = _MONTHS.get(match[2].lower())
    year = int(match[3])
    if len(match[3]) == 2:
        year += 2000 if year < 50 else 1900
    elif len(match[3]) == 3:
        year += 1900
    try:
        return (date(year, month, int(match[1])), value, match.end()) if month else None
    except ValueError:
        return None
