"""What the value of an argument has to be, where its kind alone does not say it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from ..address import Address
from ..errors import BadAddress

COMPARATORS = ("i;octet", "i;ascii-casemap", "i;ascii-numeric", "i;unicode-casemap")
RELATIONS = ("gt", "ge", "lt", "le", "eq", "ne")
DATE_PARTS = frozenset(
    (
        *("year", "month", "day", "date", "julian", "hour", "minute", "second"),
        *("time", "iso8601", "std11", "zone", "weekday"),
    )
)
ENVELOPE_PARTS = {  # and the extension that each comes with
    "from": "",
    "to": "",
    "notify": "envelope-dsn",
    "orcpt": "envelope-dsn",
    "ret": "envelope-dsn",
    "envid": "envelope-dsn",
    "bytimeabsolute": "envelope-deliverby",
    "bytimerelative": "envelope-deliverby",
    "bymode": "envelope-deliverby",
    "bytrace": "envelope-deliverby",
}
MOST_VARIABLE_NAME = 32  # characters; RFC 5229 §3 asks for so many
MOST_ADDRESS = 1000  # characters, with the name before it
MOST_MAILBOX_NAME = 1000  # characters

_VARIABLE = re.compile(r"(?:global\.)?[A-Za-z_][A-Za-z0-9_]*", re.A | re.I)
_FIELD = re.compile(r"[!-9;-~]+")
_ZONE = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d", re.A)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAMED = re.compile(
    r'(?:"[^"\\]*+(?:\\.[^"\\]*+)*"\s*+|[^<>"@,;:\\\[\]()]*+)<([^<>]*)>', re.S
)
_WORDS = re.compile(r"[ \t]*,[ \t]*")


def address_of(text: str) -> Address | None:
    """The address in a sieve-address (RFC 5228 §2.4.2.3); None if it is none."""
    if len(text) > MOST_ADDRESS or _CONTROL.search(text):
        return None
    text = text.strip()
    found = _NAMED.fullmatch(text)
    try:
        address = Address.parse((found[1] if found else text).strip())
    except BadAddress:
        return None
    return address if address.domain else None


def moment_of(text: str) -> datetime | None:
    """The moment that RFC 3339 writes so, with its zone; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _fits(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


def _among(*values: str) -> Callable[[str], bool]:
    return lambda value: value.lower() in values


def _dsn_notify(value: str) -> bool:
    words = {word.upper() for word in _WORDS.split(value)}
    return words == {"NEVER"} or (
        bool(words) and words <= {"SUCCESS", "FAILURE", "DELAY"}
    )


def _script(value: str) -> bool:
    return (
        bool(value) and len(value) <= 512 and "/" not in value and value.isprintable()
    )


def _variable(value: str) -> bool:
    return (
        _VARIABLE.fullmatch(value) is not None and len(value) <= MOST_VARIABLE_NAME + 7
    )


def _mailbox(value: str) -> bool:
    return 0 < len(value) <= MOST_MAILBOX_NAME and not _CONTROL.search(value)


# Role -> (whether a value fits, what it has to be).
ROLES: dict[str, tuple[Callable[[str], bool], str]] = {
    "address": (lambda value: address_of(value) is not None, "an address"),
    "by mode": (_among("notify", "return"), '"notify" or "return"'),
    "comparator": (_among(*COMPARATORS), "a comparator that is known"),
    "date part": (lambda value: value.lower() in DATE_PARTS, "a part of a date"),
    "dsn notify": (_dsn_notify, "NEVER, or some of SUCCESS, FAILURE, DELAY"),
    "dsn ret": (_among("full", "hdrs"), '"FULL" or "HDRS"'),
    "envelope part": (
        lambda value: value.lower() in ENVELOPE_PARTS,
        "a part of an envelope",
    ),
    "field": (_fits(_FIELD), "the name of a header field"),
    "importance": (_among("1", "2", "3"), '"1", "2" or "3"'),
    "mailbox": (_mailbox, "the name of a mailbox"),
    "moment": (lambda value: moment_of(value) is not None, "a time as in RFC 3339"),
    "relation": (_among(*RELATIONS), "one of " + ", ".join(RELATIONS)),
    "script": (_script, "the name of a script"),
    "variable": (_variable, "the name of a variable"),
    "zone": (_fits(_ZONE), 'a zone such as "+0100"'),
}
