"""Two hosts and a DNS server in network namespaces: every port is the real one."""

import socket

from tests.integration.namespaces import SWITCH, Network
from tests.integration.world import Dns, World, WorldTestCase


class NamespaceWorld(World):
    """servidorA and servidorB with an address each, and SMTP on port 25 of it; DNS is
    at the third.  Nothing is said of ports or loopback, as on the Internet."""

    port = 25

    def start(self):
        self.network = Network("a", "b")
        self.at_end(self.network.remove)
        with self.network.inside(SWITCH):
            self.dns = Dns(self.folder, self.network.addresses[SWITCH])
            self.at_end(self.dns.stop)
        self.a = self.on("a", "servidora.test", "a.test", "a2.test")
        self.b = self.on("b", "servidorb.test", "b.test", "b2.test")

    def on(self, host, name, *domains):
        self.at = host
        with self.network.inside(host):
            return self.host(name, *domains)

    def address(self, name, *domains):
        address = self.network.addresses[self.at]
        self.dns.set(
            {f"A {name}": [address]}
            | {f"MX {domain}": [[10, name]] for domain in domains}
        )
        return address

    def configuration(self):
        return f'[dns]\nservers = ["{self.dns.address}"]\n'


class NamespaceTests(WorldTestCase):
    kind = NamespaceWorld

    def place(self, daemon):
        """To speak with a host one must be in its namespace."""
        return self.world.network.inside("a" if daemon is self.world.a else "b")

    def send(self, daemon, sender, *recipients, **fields):
        with self.place(daemon):
            super().send(daemon, sender, *recipients, **fields)

    def arrived(self, daemon, user, count=1):
        with self.place(daemon):
            return super().arrived(daemon, user, count)

    def test_mail_goes_there_and_back_between_two_domains_each(self):
        a, b = self.world.a, self.world.b
        for domain_a, domain_b in (("a.test", "b.test"), ("a2.test", "b2.test")):
            ann, bob = self.user(a, domain=domain_a), self.user(b, domain=domain_b)
            self.send(a, ann, bob, subject="Hello")
            (got,) = self.arrived(b, bob)
            self.assertIn(b"\r\nSubject: Hello\r\n", got)
            last, submitted = got.split(b"\r\nReceived: ")[1:]
            self.assertIn(f"[{a.address}]".encode(), last)
            self.assertIn(b"with ESMTPS", last)
            self.send(b, bob, ann, subject="Re: Hello")
            (back,) = self.arrived(a, ann)
            self.assertIn(b"\r\nSubject: Re: Hello\r\n", back)
            self.assertIn(f"[{b.address}]".encode(), back.split(b"\r\nReceived: ")[1])

    def test_the_hosts_have_nothing_but_the_wire_in_common(self):
        a, b = self.world.a, self.world.b
        with self.place(a), socket.create_connection((b.address, 25), 5) as there:
            self.assertIn(b"servidorb.test", there.recv(999))
        with self.place(a), self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", 25), 5)
