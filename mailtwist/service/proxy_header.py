"""The header of the PROXY protocol, version 1 (a line) and 2 (binary), as a value.

https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, sections 2.1 and 2.2.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from attrs import frozen
from twisted.internet import address

V1 = b"PROXY "
V2 = b"\r\n\r\n\0\r\nQUIT\n"
MOST_LINE = 107  # octets of a version 1 header with its CRLF
MOST_BINARY = 4096  # octets of a version 2 header; more than any proxy's TLVs

LOCAL, PROXY = 0x20, 0x21  # version 2 and its command
UNSPEC = 0x00
ADDRESSES = {  # family and transport: the form of source, destination and their ports
    0x11: "!4s4sHH",
    0x12: "!4s4sHH",
    0x21: "!16s16sHH",
    0x22: "!16s16sHH",
    0x31: "!108s108s",
    0x32: "!108s108s",
}

Address = address.IPv4Address | address.IPv6Address | address.UNIXAddress


@frozen
class Header:
    """`source` and `destination` of the client's connection, or None if the proxy
    speaks for itself (a health check) or does not know; `octets` is its length."""

    source: Address | None
    destination: Address | None
    octets: int


def read(held: bytes) -> Header | None:
    """The header that `held` begins with; None if more must come.

    Raises ValueError with a few words for what is no header.
    """
    if V2.startswith(held[: len(V2)]):
        return _binary(held) if len(held) >= len(V2) + 4 else None
    if V1.startswith(held[: len(V1)]):
        end = held.find(b"\r\n", 0, MOST_LINE)
        if end >= 0:
            return _line(held[:end])
        if len(held) < MOST_LINE:
            return None
        raise ValueError("header too long")
    raise ValueError("no header")


def _line(line: bytes) -> Header:
    octets = len(line) + 2
    words = line.decode("ascii", "replace").split(" ")
    if words[1] == "UNKNOWN":  # what follows is not to be looked at
        return Header(None, None, octets)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise ValueError("bad header")
    _, family, source, destination, source_port, destination_port = words
    return Header(
        _told(family, source, source_port),
        _told(family, destination, destination_port),
        octets,
    )


def _told(family: str, host: str, port: str) -> Address:
    parsed = ip_address(host)
    if f"TCP{parsed.version}" != family:
        raise ValueError("bad address")
    if not port.isdecimal() or int(port) > 0xFFFF:
        raise ValueError("bad port")
    return _endpoint(parsed, int(port))


def _binary(held: bytes) -> Header | None:
    command, kind, length = struct.unpack_from("!BBH", held, len(V2))
    start = len(V2) + 4
    if command not in (LOCAL, PROXY):
        raise ValueError("unknown version or command")
    if start + length > MOST_BINARY:
        raise ValueError("header too long")
    if len(held) < start + length:
        return None
    if command == LOCAL or kind == UNSPEC:
        return Header(None, None, start + length)
    form = ADDRESSES.get(kind)
    if form is None or struct.calcsize(form) > length:
        raise ValueError("bad address")
    source, destination, *ports = struct.unpack_from(form, held, start)
    if not ports:
        return Header(
            address.UNIXAddress(source.rstrip(b"\0")),
            address.UNIXAddress(destination.rstrip(b"\0")),
            start + length,
        )
    return Header(
        _endpoint(ip_address(source), ports[0]),
        _endpoint(ip_address(destination), ports[1]),
        start + length,
    )


def _endpoint(host: IPv4Address | IPv6Address, port: int) -> Address:
    if host.version == 4:
        return address.IPv4Address("TCP", str(host), port)
    return address.IPv6Address("TCP", str(host), port)
