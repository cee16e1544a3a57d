"""Tests for mailtwist.service.proxy."""

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.service.proxy import HEADER_S, ProxyProtocolFactory

V1 = b"PROXY TCP4 192.0.2.9 192.0.2.1 5000 25\r\n"
V2 = (
    b"\r\n\r\n\x00\r\nQUIT\n"
    + bytes([0x21, 0x11])
    + struct.pack(">H", 12)
    + socket.inet_aton("192.0.2.9")
    + socket.inet_aton("192.0.2.1")
    + struct.pack(">HH", 5000, 25)
)


class Greeter(Protocol):
    """Greets its peer by address and keeps what it is told."""

    def connectionMade(self):
        self.got = b""
        self.transport.write(self.transport.getPeer().host.encode())

    def dataReceived(self, data):
        self.got += data


class ProxyTests(SynchronousTestCase):
    def connect(self):
        self.clock = Clock()
        factory = ProxyProtocolFactory(self.clock, Factory.forProtocol(Greeter))
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", "127.0.0.1", 1))
        self.server = factory.buildProtocol(None)
        self.server.makeConnection(self.transport)

    @given(header=st.sampled_from([V1, V2]), cut=st.integers(0, 60))
    def test_the_greeting_waits_for_the_header_however_it_is_cut(self, header, cut):
        self.connect()
        octets = header + b"EHLO x\r\n"
        self.assertEqual(self.transport.value(), b"")
        for piece in (octets[:cut], octets[cut:]):
            if piece:
                self.server.dataReceived(piece)
        self.assertEqual(self.transport.value(), b"192.0.2.9")
        self.assertEqual(self.server.wrappedProtocol.got, b"EHLO x\r\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_octets_that_are_no_header_close_the_connection(self):
        for octets in (b"EHLO x\r\n", b"PROXY nonsense\r\n", V2[:12] + b"\x11" * 9):
            self.connect()
            self.server.dataReceived(octets)
            self.assertTrue(self.transport.disconnected, octets)
            self.assertEqual(self.transport.value(), b"")

    def test_an_endless_header_is_cut_off(self):
        self.connect()
        self.server.dataReceived(b"PROXY " + b"x" * 5000)
        self.assertTrue(self.transport.disconnected)

    def test_a_proxy_that_says_nothing_is_cut_off(self):
        self.connect()
        self.clock.advance(HEADER_S)
        self.assertTrue(self.transport.disconnected)

    def test_a_connection_lost_before_the_header_makes_no_session(self):
        self.connect()
        self.server.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.transport.value(), b"")

    @given(st.binary(max_size=300))
    def test_arbitrary_octets_never_raise(self, octets):
        self.connect()
        self.server.dataReceived(octets)
