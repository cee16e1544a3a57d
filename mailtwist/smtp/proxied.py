"""The arguments of XCLIENT and XFORWARD: what a trusted proxy tells of its client.

Both are Postfix's (XCLIENT_README, XFORWARD_README): attribute=value pairs with the
values in xtext, or [UNAVAILABLE] and [TEMPUNAVAIL] where there is none.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from ..wire import Scanner
from .faults import BadArgument
from .xtext import XTEXT, decode

XCLIENT = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
XFORWARD = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")
MOST_VALUE = 255  # octets of one value, decoded

_ATTRIBUTE = re.compile(rb"[ \t]+([A-Za-z]+)=([^\x00-\x20\x7f-\xff]+)(?=[ \t]|\Z)")
_SP = re.compile(rb"[ \t]+\Z")
_NONE = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")
_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")
_PROTO = ("SMTP", "ESMTP")
_SOURCE = ("LOCAL", "REMOTE")


def attributes(
    s: Scanner, known: tuple[str, ...]
) -> tuple[tuple[str, str | None], ...]:
    """1*(SP attribute-name "=" attribute-value): (upper-case name, value or None).

    Values are checked: an address is an IP address in its shortest spelling without
    "IPV6:".  Raises BadArgument.
    """
    given: dict[str, str | None] = {}
    while found := s.try_match(_ATTRIBUTE):
        name, text = found[1].decode().upper(), found[2].decode()
        if name not in known or name in given:
            raise BadArgument(f"Attribute {name} is not known, or given twice")
        given[name] = None if text.upper() in _NONE else _value(name, text)
    s.try_match(_SP)
    if not given or not s.done:
        raise BadArgument(f"Give name=value pairs of {', '.join(known)}")
    return tuple(given.items())


def _value(name: str, text: str) -> str:
    try:
        value = decode(text).decode() if XTEXT.match(text) else ""
        if not value or len(value) > MOST_VALUE or not value.isprintable():
            raise ValueError
        if name in ("ADDR", "DESTADDR"):
            return _address(value)
        if name in ("PORT", "DESTPORT"):
            if not _PORT.match(value) or int(value) > 0xFFFF:
                raise ValueError
        elif name in ("PROTO", "SOURCE"):
            value = value.upper()
            if value not in (_PROTO if name == "PROTO" else _SOURCE):
                raise ValueError
        elif name == "NAME" and not _NAME.match(value):
            raise ValueError
    except ValueError as fault:
        raise BadArgument(f"Bad value of attribute {name}") from fault
    return value


def _address(value: str) -> str:
    """Raises AddressValueError, a ValueError."""
    if value[:5].upper() == "IPV6:":
        value = value[5:]
    if "%" in value:
        raise AddressValueError(value)
    return str(IPv6Address(value) if ":" in value else IPv4Address(value))
