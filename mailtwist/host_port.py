"""Hosts with a port as people write them: `name:port`, `[address]:port`, `address`."""

from __future__ import annotations

import re
from ipaddress import ip_address

from .address import ascii_domain, normal_domain
from .errors import BadAddress

_HOST_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+))(?::(\d{1,5}))?")
MOST_PORT = 65535


def host_port(text: str, port: int) -> tuple[str, int]:
    """(host, port) of `text`, with the given port if it names none.

    The host is a name or an IP address without brackets; an IPv6 address may stand
    without them if no port follows.  "[IPv6:...]" is read as in an address literal
    (RFC 5321 §4.1.3).  Raises ValueError.
    """
    if is_address(text):
        return text, port
    found = _HOST_PORT.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no host, host:port or [address]:port")
    host, number = found[1] or found[2], int(found[3] or port)
    if found[1] and host[:5].lower() == "ipv6:":
        host = host[5:]
    if not 0 < number <= MOST_PORT:
        raise ValueError(f"{number} is no port")
    return host, number


def address_port(text: str, port: int) -> tuple[str, int]:
    """As host_port, for an IP address only."""
    address, number = host_port(text, port)
    if not is_address(address):
        raise ValueError(f"{text!r} is no address, address:port or [address]:port")
    return address, number


def destination(text: str, port: int) -> str:
    """A destination of mail in one spelling: "domain", ".domain" (A-labels) or
    "[host]:port".  Raises ValueError."""
    if text.startswith("["):
        host, number = host_port(text, port)
        return f"[{host.lower()}]:{number}"
    try:
        domain = ascii_domain(normal_domain(text.removeprefix(".")))
    except BadAddress as fault:
        raise ValueError(f"{text!r} is no domain and no [host]:port") from fault
    return f".{domain}" if text.startswith(".") else domain


def is_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
