"""Tests for mailtwist.service.proxy_header."""

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.service.proxy_header import Header, read

FOUR = socket.inet_aton("192.0.2.9") + socket.inet_aton("192.0.2.1")
SIX = b"".join(
    socket.inet_pton(socket.AF_INET6, host) for host in ("2001:db8::9", "::1")
)
PORTS = struct.pack(">HH", 5000, 25)
TLV = b"\x04\x00\x03abc"
CLIENT, HOST = (
    IPv4Address("TCP", "192.0.2.9", 5000),
    IPv4Address("TCP", "192.0.2.1", 25),
)
CLIENT6, HOST6 = IPv6Address("TCP", "2001:db8::9", 5000), IPv6Address("TCP", "::1", 25)
UNIX = b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0")


def binary(command, kind, rest):
    head = struct.pack(">BBH", command, kind, len(rest))
    return b"\r\n\r\n\0\r\nQUIT\n" + head + rest


HEADERS = [  # (octets, source, destination)
    (b"PROXY TCP4 192.0.2.9 192.0.2.1 5000 25\r\n", CLIENT, HOST),
    (b"PROXY TCP6 2001:db8::9 ::1 5000 25\r\n", CLIENT6, HOST6),
    (b"PROXY UNKNOWN\r\n", None, None),  # HAProxy's health check
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None, None),
    (binary(0x21, 0x11, FOUR + PORTS), CLIENT, HOST),
    (binary(0x21, 0x11, FOUR + PORTS + TLV), CLIENT, HOST),  # more behind is skipped
    (binary(0x21, 0x12, FOUR + PORTS), CLIENT, HOST),
    (binary(0x21, 0x21, SIX + PORTS), CLIENT6, HOST6),
    (binary(0x21, 0x31, UNIX), UNIXAddress(b"/run/a"), UNIXAddress(b"/run/b")),
    (binary(0x20, 0x00, b""), None, None),  # LOCAL: the proxy itself
    (binary(0x20, 0x11, FOUR + PORTS), None, None),  # its addresses do not count
    (binary(0x21, 0x00, b""), None, None),
    (binary(0x21, 0x00, TLV), None, None),
]
WRONG = [
    b"EHLO x\r\n",
    b"PROXY\r\n",
    b"proxy TCP4 192.0.2.9 192.0.2.1 5000 25\r\n",
    b"PROXY nonsense\r\n",
    b"PROXY TCP4 192.0.2.9 192.0.2.1 5000\r\n",
    b"PROXY TCP4 192.0.2.9 192.0.2.1 5000 25 \r\n",
    b"PROXY TCP4 192.0.2.9  192.0.2.1 5000 25\r\n",
    b"PROXY TCP4 2001:db8::9 ::1 5000 25\r\n",  # not of that family
    b"PROXY TCP4 mail.example 192.0.2.1 5000 25\r\n",
    b"PROXY TCP4 192.0.2.9 192.0.2.1 5000 65536\r\n",
    b"PROXY TCP4 192.0.2.9 192.0.2.1 -1 25\r\n",
    b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",  # longer than a line may be
    b"PROXY " + b"x" * 101,
    binary(0x11, 0x11, FOUR + PORTS),  # version 1 in binary
    binary(0x22, 0x11, FOUR + PORTS),  # no such command
    binary(0x21, 0x13, FOUR + PORTS),  # no such transport
    binary(0x21, 0x41, FOUR + PORTS),  # no such family
    binary(0x21, 0x11, FOUR),  # too short
    binary(0x21, 0x21, FOUR + PORTS),
    binary(0x21, 0x11, FOUR + PORTS + b"x" * 5000),
]


class HeaderTests(SynchronousTestCase):
    def test_headers_and_what_follows_them(self):
        for octets, source, destination in HEADERS:
            header = Header(source, destination, len(octets))
            self.assertEqual(read(octets), header, octets)
            self.assertEqual(read(octets + b"EHLO x\r\n"), header, octets)

    def test_no_part_of_a_header_is_one(self):
        for octets, _, _ in HEADERS:
            for cut in range(len(octets)):
                self.assertIsNone(read(octets[:cut]), octets[:cut])

    def test_what_is_no_header_is_refused(self):
        for octets in WRONG:
            self.assertRaises(ValueError, read, octets)

    @given(
        st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n\x21"]),
        st.binary(max_size=300),
    )
    def test_arbitrary_octets_are_a_header_or_a_ValueError(self, start, octets):
        try:
            header = read(start + octets)
        except ValueError:
            return
        if header is not None:
            self.assertLessEqual(header.octets, len(start + octets))
