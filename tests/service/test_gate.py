"""Tests for mailtwist.service.gate."""

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Limits
from mailtwist.service.gate import Gate, GatedFactory, Sessions, network_of


def ipv4(host):
    return IPv4Address("TCP", host, 1)


class Session(Protocol):
    def connectionMade(self):
        self.factory.sessions.add(self)

    def connectionLost(self, reason):
        self.factory.sessions.discard(self)


class NetworkTests(SynchronousTestCase):
    def test_an_ipv4_host_and_an_ipv6_64_count_as_one_network(self):
        for address, network in [
            (ipv4("192.0.2.1"), "192.0.2.1"),
            (IPv6Address("TCP", "2001:db8::1", 1), "2001:0db8:0000:0000::/64"),
            (IPv6Address("TCP", "2001:db8::2:1", 1), "2001:0db8:0000:0000::/64"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80:0000:0000:0000::/64"),
            (IPv6Address("TCP", "::ffff:192.0.2.1", 1), "192.0.2.1"),
            (UNIXAddress("/run/x"), "local"),
        ]:
            self.assertEqual(network_of(address), network)


class GateTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.gate = Gate(Limits(connections=3, connections_per_network=2))
        self.inner = Factory.forProtocol(Session)
        self.inner.sessions = Sessions(self.gate)
        self.factory = GatedFactory(
            self.clock, self.gate, self.inner, b"421 Busy\r\n", "smtp"
        )

    def connect(self, address):
        protocol = self.factory.buildProtocol(address)
        transport = StringTransportWithDisconnection(peerAddress=address)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return protocol

    def refused(self, protocol):
        return protocol.transport.value() == b"421 Busy\r\n"

    def test_a_network_over_its_limit_is_told_and_closed(self):
        kept = [self.connect(ipv4("192.0.2.1")) for _ in range(2)]
        extra = self.connect(ipv4("192.0.2.1"))
        self.assertTrue(self.refused(extra))
        self.assertFalse(extra.transport.connected)
        self.assertFalse(self.refused(self.connect(ipv4("192.0.2.2"))))
        self.assertTrue(all(p.transport.connected for p in kept))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_limit_of_all_holds_over_networks(self):
        for last in (1, 2, 3):
            self.assertFalse(self.refused(self.connect(ipv4(f"192.0.2.{last}"))))
        self.assertTrue(self.refused(self.connect(ipv4("192.0.2.4"))))

    def test_a_connection_that_ends_makes_room(self):
        first, _ = (self.connect(ipv4("192.0.2.1")) for _ in range(2))
        first.transport.loseConnection()
        self.assertFalse(self.refused(self.connect(ipv4("192.0.2.1"))))

    def test_local_sockets_have_no_network_limit(self):
        for _ in range(3):
            self.assertFalse(self.refused(self.connect(UNIXAddress("/run/x"))))
        self.assertEqual(self.gate.connections, 3)

    def test_everything_left_leaves_nothing_behind(self):
        for session in [self.connect(ipv4("192.0.2.1")) for _ in range(2)]:
            session.transport.loseConnection()
        self.assertEqual(self.gate.connections, 0)
        self.assertEqual(len(self.gate._networks), 0)
        self.assertEqual(self.inner.sessions._network, {})
