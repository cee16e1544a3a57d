"""Questions and replies of DNS as octets (RFC 1035 §4, RFC 6891), and nothing more.

The codec is twisted.names'; here it is held to what a resolver must check, and records
become plain values.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from attrs import frozen
from twisted.names import dns

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, TLSA = 1, 2, 5, 6, 12, 15, 16, 28, 52
TYPE_NAMES = {A: "A", CNAME: "CNAME", PTR: "PTR", MX: "MX"} | {
    TXT: "TXT",
    AAAA: "AAAA",
    TLSA: "TLSA",
}

OK, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
UDP_OCTETS = 1232  # of a reply: no fragments on any way
DNSSEC_OK = 1 << 15  # in the TTL field of OPT (RFC 6891 §6.1.3)
MOST_LABEL, MOST_NAME = 63, 253
MOST_TTL_S = 2**31 - 1  # above it a TTL is 0 (RFC 2181 §8)
_ADDRESS_OCTETS = {A: 4, AAAA: 16}
_SOA_NUMBERS = 20

# What the codec raises for octets that are no message; TypeError and AttributeError
# are of records without a name or with lengths that contradict each other.
_BROKEN = (ValueError, EOFError, struct.error, TypeError, IndexError, AttributeError)


class BadReply(Exception):
    """Octets that are no DNS message, or not the reply to this question."""


@frozen
class Question:
    """A name (lower case A-labels, no final dot) and a record type."""

    name: str
    type: int


@frozen
class Record:
    """One record; `value` is, by type: an address, a name, (preference, name), the
    joined octets of TXT, (usage, selector, matching type, data)."""

    name: str
    type: int
    ttl_s: int
    value: Any


@frozen
class Reply:
    """What a server said.

    `negative_ttl_s` tells how long "no such record" holds (RFC 2308 §5), None without
    a SOA.  `authentic` is the AD bit as it came.
    """

    rcode: int
    records: tuple[Record, ...] = ()
    truncated: bool = False
    authentic: bool = False
    negative_ttl_s: int | None = None


def valid_name(name: str) -> bool:
    """True if `name` can be asked for."""
    return (
        0 < len(name) <= MOST_NAME
        and name.isascii()
        and all(0 < len(label) <= MOST_LABEL for label in name.split("."))
    )


def encode(question: Question, number: int, *, edns: bool, dnssec: bool) -> bytes:
    """The octets of a recursive query with this id (0 to 65535).

    AD is always set: it asks a validating resolver to say AD in its reply, without the
    signatures that `dnssec` (DO) brings along (RFC 6840 §5.7).
    """
    message = dns.Message(id=number, recDes=1, authenticData=1)
    message.queries = [dns.Query(question.name.encode(), question.type, dns.IN)]
    if edns:
        option = dns.RRHeader(
            type=dns.OPT,
            cls=UDP_OCTETS,
            ttl=DNSSEC_OK if dnssec else 0,
            payload=dns.UnknownRecord(b""),
        )
        message.additional = [option]
    return message.toStr()


def decode(octets: bytes, question: Question, number: int) -> Reply:
    """The reply to `question`, asked with this id; raises BadReply."""
    message = dns.Message()
    try:
        message.fromStr(octets)
        counts = struct.unpack("!4H", octets[4:12])
    except _BROKEN as fault:
        raise BadReply("not a DNS message") from fault
    if not message.answer or message.id != number:
        raise BadReply("not a reply to this query")
    asked = [(text(q.name), q.type, q.cls) for q in message.queries]
    bare = not asked and message.rCode in (FORMERR, NOTIMP)
    if asked != [(question.name, question.type, dns.IN)] and not bare:
        raise BadReply("a reply to another question")
    got = (
        len(message.queries),
        len(message.answers),
        len(message.authority),
        len(message.additional),
    )
    if counts != got and not message.trunc:
        raise BadReply("fewer records than announced")
    rcode = message.rCode
    for extra in message.additional:
        if extra.type == dns.OPT:
            rcode |= (extra.ttl >> 24) << 4  # RFC 6891 §6.1.3
    try:
        records = tuple(_records(message.answers))
        negative_ttl_s = _negative_ttl_s(message.authority)
    except _BROKEN as fault:
        raise BadReply("a record that cannot be read") from fault
    return Reply(
        rcode,
        records,
        bool(message.trunc),
        bool(message.authenticData),
        negative_ttl_s,
    )


def text(name: Any) -> str:
    """A name of the codec, lower case; "" is the root."""
    octets: bytes = name.name
    return octets.lower().decode("ascii", "backslashreplace")


def _ttl_s(ttl: int) -> int:
    return ttl if 0 <= ttl <= MOST_TTL_S else 0


def _records(answers: list[Any]) -> Any:
    for header in answers:
        if header.cls == dns.IN and header.type in TYPE_NAMES:
            value = _value(header)
            yield Record(text(header.name), header.type, _ttl_s(header.ttl), value)


def _value(header: Any) -> Any:
    payload, kind = header.payload, header.type
    if kind in _ADDRESS_OCTETS:
        if header.rdlength != _ADDRESS_OCTETS[kind]:
            raise ValueError("an address of another length")
        address = IPv4Address if kind == A else IPv6Address
        return str(address(payload.address))
    if kind in (CNAME, PTR):
        return text(payload.name)
    if kind == MX:
        return payload.preference, text(payload.name)
    if kind == TXT:
        return b"".join(payload.data)
    usage, selector, matching = payload.data[:3]
    return usage, selector, matching, payload.data[3:]


def _negative_ttl_s(authority: list[Any]) -> int | None:
    """The lesser of the SOA's TTL and its minimum field."""
    for header in authority:
        if header.type == SOA and header.rdlength >= _SOA_NUMBERS:
            return min(_ttl_s(header.ttl), _ttl_s(header.payload.minimum))
    return None
