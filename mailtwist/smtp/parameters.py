"""The values of the parameters of MAIL and RCPT, one function each.

RFC 1870 §4, RFC 6152 §2, RFC 3030 §3, RFC 6531 §3.4, RFC 4954 §5, RFC 3461 §4,
RFC 6533 §3, RFC 8689 §2, RFC 2852, RFC 4865, RFC 6710.  They raise
BadArgument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from ..address import Address
from ..delivery.model import NO_WISHES, Notify
from ..errors import BadAddress
from .command import By, Mail
from .faults import BadArgument
from .xtext import XTEXT, decode, decode_unitext

Parameters = dict[str, str | None]

MOST_ENVID = 100  # characters, RFC 3461 §4.4
MOST_ORCPT = 500  # characters, RFC 3461 §4.2
PRIORITIES = range(-9, 10)  # RFC 6710

_NUMBER = re.compile(r"[0-9]{1,20}\Z")
_INTERVAL = re.compile(r"[1-9][0-9]{0,8}\Z")
_BY = re.compile(r"([+-]?[0-9]{1,9});([NRnr])([Tt]?)\Z")
_PRIORITY = re.compile(r"-?[0-9]\Z")
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)\Z", re.ASCII
)
_FRACTION = re.compile(r"\.\d+")
_ADDR_TYPE = re.compile(r"([!#$%&'*/?^_`{|}~A-Za-z0-9-]+);(.+)\Z")
_WORDS = ("SUCCESS", "FAILURE", "DELAY")


def with_parameters(mail: Mail, given: Parameters) -> Mail:
    """`mail` with what its parameters say."""
    if "HOLDFOR" in given and "HOLDUNTIL" in given:
        raise BadArgument("HOLDFOR and HOLDUNTIL exclude each other")
    wishes: dict[str, Any] = {}
    more: dict[str, Any] = {}
    for keyword, text in given.items():
        name, value = _MAIL[keyword]
        (wishes if name in _WISHES else more)[name] = value(text)
    if wishes:
        more["wishes"] = evolve(NO_WISHES, **wishes)
    return evolve(mail, **more)


def notify(given: Parameters, *, smtputf8: bool) -> Notify:
    """NOTIFY and ORCPT of RCPT."""
    when, orcpt = None, ""
    if "NOTIFY" in given:
        when = notify_value(given["NOTIFY"])
    if "ORCPT" in given:
        orcpt = orcpt_value(given["ORCPT"], smtputf8=smtputf8)
    return Notify(when, orcpt)


def size_value(value: str | None) -> int:
    """size-value = 1*20DIGIT (RFC 1870 §4)."""
    if value is None or not _NUMBER.match(value):
        raise BadArgument("SIZE is a number of octets")
    return int(value)


def body_value(value: str | None) -> str:
    """body-value = "7BIT" / "8BITMIME" / "BINARYMIME" (RFC 6152 §2, RFC 3030 §3)."""
    body = (value or "").upper()
    if body not in ("7BIT", "8BITMIME", "BINARYMIME"):
        raise BadArgument("BODY is 7BIT, 8BITMIME or BINARYMIME")
    return body


def auth_value(value: str | None) -> str:
    """The AUTH parameter (RFC 4954 §5): a mailbox in xtext, or "<>" which gives ""."""
    octets = xtext_value("AUTH", value)
    if octets == b"<>":
        return ""
    try:
        return str(Address.parse(octets.decode()))
    except (BadAddress, UnicodeDecodeError) as bad:
        raise BadArgument("AUTH is a mailbox in xtext, or <>") from bad


def xtext_value(keyword: str, value: str | None) -> bytes:
    """xtext (RFC 3461 §4), decoded."""
    if value is None or not XTEXT.match(value):
        raise BadArgument(f"{keyword} is in xtext")
    return decode(value)


def ret_value(value: str | None) -> str:
    """ret-value = "FULL" / "HDRS" (RFC 3461 §4.3)."""
    ret = (value or "").upper()
    if ret not in ("FULL", "HDRS"):
        raise BadArgument("RET is FULL or HDRS")
    return ret


def envid_value(value: str | None) -> str:
    """envid-parameter: printable ASCII in xtext (RFC 3461 §4.4)."""
    if value is not None and len(value) > MOST_ENVID:
        raise BadArgument(f"ENVID is longer than {MOST_ENVID} characters")
    return _printable("ENVID", xtext_value("ENVID", value))


def notify_value(value: str | None) -> frozenset[str]:
    """notify-esmtp-value = "NEVER" / 1#notify-list-element (RFC 3461 §4.1)."""
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return frozenset(words)
    if len(set(words)) < len(words) or not all(word in _WORDS for word in words):
        raise BadArgument("NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY")
    return frozenset(words)


def orcpt_value(value: str | None, *, smtputf8: bool) -> str:
    """original-recipient-address = addr-type ";" xtext (RFC 3461 §4.2): the same with
    the address decoded.  The type utf-8 (RFC 6533 §3) has an encoding of its own."""
    if value is not None and len(value) > MOST_ORCPT:
        raise BadArgument(f"ORCPT is longer than {MOST_ORCPT} characters")
    found = _ADDR_TYPE.match(value or "")
    if not found:
        raise BadArgument("ORCPT is an address type, a semicolon and xtext")
    kind, text = found[1].lower(), found[2]
    if kind != "utf-8":
        return f"{kind};{_printable('ORCPT', xtext_value('ORCPT', text))}"
    try:
        address = decode_unitext(text)
    except ValueError as bad:
        raise BadArgument("ORCPT is no valid UTF-8 address") from bad
    if not address.isprintable() or not (smtputf8 or text.isascii()):
        raise BadArgument("ORCPT is no valid UTF-8 address")
    return f"utf-8;{address}"


def by_value(value: str | None) -> By:
    """by-value = by-time ";" by-mode [by-trace] (RFC 2852)."""
    found = _BY.match(value or "")
    if not found:
        raise BadArgument("BY is seconds, a semicolon, N or R, and T for a trace")
    by = By(int(found[1]), found[2].upper(), bool(found[3]))
    if by.mode == "R" and by.by_s <= 0:
        raise BadArgument("BY with R needs some time to deliver")
    return by


def hold_for_value(value: str | None) -> int:
    """HOLDFOR, seconds (RFC 4865)."""
    if value is None or not _INTERVAL.match(value):
        raise BadArgument("HOLDFOR is a number of seconds")
    return int(value)


def hold_until_value(value: str | None) -> float:
    """HOLDUNTIL, a date-time of RFC 3339 (RFC 4865): seconds of the epoch."""
    text = (value or "").upper()
    try:
        if not _DATE_TIME.match(text):
            raise ValueError
        moment = datetime.fromisoformat(_FRACTION.sub("", text))
        return moment.astimezone(UTC).timestamp()
    except (ValueError, OverflowError) as bad:
        raise BadArgument("HOLDUNTIL is a date-time like 2030-01-31T08:00:00Z") from bad


def priority_value(value: str | None) -> int:
    """priority-value, -9 to 9 (RFC 6710)."""
    if value is None or not _PRIORITY.match(value) or int(value) not in PRIORITIES:
        raise BadArgument("MT-PRIORITY is a number from -9 to 9")
    return int(value)


def _flag(keyword: str) -> Callable[[str | None], bool]:
    def flag(value: str | None) -> bool:
        if value is not None:
            raise BadArgument(f"{keyword} takes no value")
        return True

    return flag


def _printable(keyword: str, octets: bytes) -> str:
    """Nothing that could end a line of a header field."""
    text = octets.decode("latin-1")
    if not text.isascii() or not text.isprintable():
        raise BadArgument(f"{keyword} is printable ASCII, in xtext")
    return text


# Keyword of MAIL: the field of Mail or Wishes that it fills, and its reader.
_MAIL: dict[str, tuple[str, Callable[[str | None], Any]]] = {
    "SIZE": ("size_octets", size_value),
    "BODY": ("body", body_value),
    "SMTPUTF8": ("smtputf8", _flag("SMTPUTF8")),
    "AUTH": ("auth", auth_value),
    "RET": ("ret", ret_value),
    "ENVID": ("envid", envid_value),
    "REQUIRETLS": ("require_tls", _flag("REQUIRETLS")),
    "BY": ("by", by_value),
    "HOLDFOR": ("hold_for_s", hold_for_value),
    "HOLDUNTIL": ("hold_until_s", hold_until_value),
    "MT-PRIORITY": ("priority", priority_value),
    "PRDR": ("prdr", _flag("PRDR")),
}
_WISHES = frozenset(
    ("body", "smtputf8", "auth", "ret", "envid", "require_tls", "priority")
)
