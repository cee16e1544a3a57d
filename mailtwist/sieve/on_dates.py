"""Dates of the message and of now (RFC 5260)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ..mime.date import moment
from .check_values import DATE_PARTS, ROLES
from .compiled import Call
from .on_message import indexed, name_of
from .questions import Asking
from .state import Run

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_JULIAN = 678_576  # the day 0 of the modified Julian calendar


def zone_of(text: str) -> timezone:
    """A zone as "+0100"."""
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def part_of(when: datetime, part: str) -> str:
    """A date-part (RFC 5260 §4.2)."""
    zone = when.strftime("%z")[:5]
    match part:
        case "year":
            return f"{when.year:04}"
        case "month":
            return f"{when.month:02}"
        case "day":
            return f"{when.day:02}"
        case "date":
            return f"{when:%Y-%m-%d}"
        case "julian":
            return str(when.toordinal() - _JULIAN)
        case "hour":
            return f"{when.hour:02}"
        case "minute":
            return f"{when.minute:02}"
        case "second":
            return f"{when.second:02}"
        case "time":
            return f"{when:%H:%M:%S}"
        case "iso8601":
            return f"{when:%Y-%m-%dT%H:%M:%S}{zone[:3]}:{zone[3:]}"
        case "std11":
            day, month = _DAYS[when.weekday()], _MONTHS[when.month - 1]
            return f"{day}, {when.day:02} {month} {when.year:04} {when:%H:%M:%S} {zone}"
        case "zone":
            return zone
        case _:
            return str(when.isoweekday() % 7)


def _asked(run: Run, call: Call) -> str:
    part = run.one(call, "part").lower()
    if part not in DATE_PARTS:
        raise run.budget.fail(f'"{part[:80]}" is not a part of a date')
    return part


def _zoned(run: Run, call: Call, when: datetime) -> datetime:
    """In the zone that is wanted: the local one if nothing is said."""
    if "originalzone" in call.tags:
        return when
    try:
        if "zone" not in call.tags:
            return when.astimezone(run.circumstances.now.tzinfo)
        zone = run.one(call, "zone")
        if not ROLES["zone"][0](zone):
            raise run.budget.fail(f'"{zone[:80]}" is not a zone')
        return when.astimezone(zone_of(zone))
    except OverflowError:
        return when


def date(run: Run, call: Call) -> bool | Asking[bool]:
    """§4: the date behind the last semicolon, where a field has one in front of it."""
    part = _asked(run, call)
    values = []
    for raw in indexed(call, run.message.header.raw(name_of(run.one(call, "header")))):
        when = moment(raw.rpartition(b";")[2])
        if when is not None:
            values.append(part_of(_zoned(run, call, when), part))
            break
    return run.matches(call, values)


def currentdate(run: Run, call: Call) -> bool | Asking[bool]:
    part = _asked(run, call)
    return run.matches(call, [part_of(_zoned(run, call, run.circumstances.now), part)])


TESTS = {"date": date, "currentdate": currentdate}
