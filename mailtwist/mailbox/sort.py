"""SORT (RFC 5256 §2, §3; RFC 5957 §3), for any mailbox.

Everything comes from columns and from header fields that the cache keeps: no message
is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from ..mime.address_list import Listed, addresses
from ..mime.base_subject import base_subject
from ..mime.date import day, moment
from ..mime.header import unfold
from ..mime.text import casemap, decoded_words
from ..sort_key import SortCriterion, SortKey
from .interfaces import IMailbox
from .model import Column
from .search_fields import first_value, values
from .turns import Pause, Turns, chunks

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_KNOWN = 200  # octets of a value that is remembered during one command
_USUAL_DATE = re.compile(
    rb" (?:[A-Za-z]{3}, )?(\d{1,2} [A-Za-z]{3} \d{4} )"
    rb"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)( [+-]\d{4})(?![0-9A-Za-z_])"
)
_FIELD_US = 8.0  # about what one value of one message costs

# The value of a field in (octets, the same in lower case, the internal date).
Value = Callable[[bytes, bytes, int], str | float]


async def sort(
    mailbox: IMailbox,
    criteria: Sequence[SortCriterion],
    uids: Sequence[int],
    *,
    pause: Pause,
    scores: Mapping[int, float] = MappingProxyType({}),
) -> list[int]:
    """`uids` (ascending) in the order asked for, equal ones ascending; those that are
    gone are left out.  `pause` is awaited about every 5 ms of work.  `scores` are
    those of a search, for RELEVANCY."""
    turns = Turns(pause)
    rows = await mailbox.rows(list(uids))
    arrived = dict(zip(rows.uids, rows.internal_dates, strict=True))
    keys = dict.fromkeys(criterion.key for criterion in criteria)
    table: dict[SortKey, dict[int, str | float]] = {key: {} for key in keys}
    if SortKey.ARRIVAL in table:
        table[SortKey.ARRIVAL].update(arrived)
    if SortKey.RELEVANCY in table:
        table[SortKey.RELEVANCY] = {uid: -scores.get(uid, 0.0) for uid in rows.uids}
    if SortKey.SIZE in table:
        table[SortKey.SIZE] = dict(zip(rows.uids, rows.octets, strict=True))
    read = [(table[key], _VALUES[key]()) for key in keys if key in _VALUES]
    order = list(rows.uids)
    if read:
        order = []
        for chunk in chunks(rows.uids):
            for uid, raw in await _kept_fields(mailbox, chunk):
                lower = raw.lower()
                for column, value in read:
                    column[uid] = value(raw, lower, arrived[uid])
                order.append(uid)
            await turns.spent(len(chunk) * len(read) * _FIELD_US)
    for criterion in reversed(criteria):
        of_uid = table[criterion.key].__getitem__
        await turns.sort(order, of_uid, reverse=criterion.reverse)
    return order


async def _kept_fields(mailbox: IMailbox, uids: list[int]) -> list[tuple[int, bytes]]:
    found = await mailbox.rendered(uids, (Column.FIELDS,))
    pairs = zip(uids, found, strict=True)
    return [(uid, row[0]) for uid, row in pairs if row is not None]


def dates() -> Value:
    """RFC 5256 §2.2, in seconds since 1970 UTC; each day with its zone is read once."""
    known: dict[tuple[bytes, bytes], float | None] = {}

    def value(raw: bytes, lower: bytes, arrived: int) -> float:
        place = first_value(lower, b"date", b"\ndate")
        octets = raw[place[0] : place[1]] if place else b""
        usual = _USUAL_DATE.match(octets)
        if usual is None:
            return _seconds(octets, arrived)
        written, hour, minute, second, zone = usual.groups()
        key = written, zone
        if key not in known:
            at = moment(written + b"00:00:00" + zone)
            known[key] = None if at is None else (at - _EPOCH).total_seconds()
        midnight = known[key]
        if midnight is None:
            return float(arrived)
        return midnight + int(hour) * 3600 + int(minute) * 60 + int(second)

    return value


def _seconds(octets: bytes, arrived: int) -> float:
    at = moment(octets)
    if at is None and (date := day(octets)):
        at = datetime(date.year, date.month, date.day, tzinfo=UTC)
    return float(arrived) if at is None else (at - _EPOCH).total_seconds()


def _subjects() -> Value:
    """Many messages share a subject: each is made ready once."""
    known: dict[bytes, str] = {}

    def value(raw: bytes, lower: bytes, arrived: int) -> str:
        place = first_value(lower, b"subject", b"\nsubject")
        octets = raw[place[0] : place[1]] if place else b""
        found = known.get(octets)
        if found is None:
            subject = decoded_words(unfold(octets)) if octets else ""
            found = casemap(base_subject(subject)[0])
            if len(octets) <= MOST_KNOWN:
                known[octets] = found
        return found

    return value


def _by_addresses(name: bytes, key: Callable[[Listed], str]) -> Callable[[], Value]:
    """What `key` gives for the first address; many messages share their addresses."""

    def made() -> Value:
        known: dict[tuple[bytes, ...], str] = {}

        def value(raw: bytes, lower: bytes, arrived: int) -> str:
            octets = tuple([raw[start:end] for start, end in values(lower, name)])
            found = known.get(octets)
            if found is None:
                listed = addresses(list(octets))
                found = key(listed[0]) if listed else ""
                if sum(map(len, octets)) <= MOST_KNOWN:
                    known[octets] = found
            return found

        return value

    return made


def _mailbox(first: Listed) -> str:
    return _collated(first.mailbox or b"")


def _display(first: Listed) -> str:
    """RFC 5957 §3."""
    shown = decoded_words(first.name or b"")
    if shown:
        return casemap(shown)
    address = first.mailbox or b""
    if first.mailbox is not None and first.host is not None:
        address += b"@" + first.host
    return _collated(address)


def _collated(octets: bytes) -> str:
    return casemap(octets.decode("utf-8", "replace"))


# Made anew for each command, as they remember what they saw.
_VALUES: dict[SortKey, Callable[[], Value]] = {
    SortKey.CC: _by_addresses(b"cc", _mailbox),
    SortKey.DATE: dates,
    SortKey.DISPLAYFROM: _by_addresses(b"from", _display),
    SortKey.DISPLAYTO: _by_addresses(b"to", _display),
    SortKey.FROM: _by_addresses(b"from", _mailbox),
    SortKey.SUBJECT: _subjects,
    SortKey.TO: _by_addresses(b"to", _mailbox),
}
