"""Tests for mailtwist.service.sockets."""

import os
import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mailtwist.config.model import Listener
from mailtwist.errors import ConfigError
from mailtwist.service.sockets import Bound, Inherited, with_backlog


def listener(endpoint):
    return Listener(protocol="smtp", endpoint=endpoint)


class Counting(Factory):
    noisy = False

    def __init__(self):
        self.count, self.first = 0, Deferred()

    def buildProtocol(self, addr):
        self.count += 1
        if not self.first.called:
            self.first.callback(None)
        return Protocol()


class SocketTests(TestCase):
    timeout = 20

    def bound(self, *listeners):
        bound = Bound(reactor)
        self.addCleanup(bound.keep, ())
        bound.bind(listeners, taken_s=0.1)
        return bound

    async def taking(self, bound, one):
        """A factory behind the socket, as a worker has it."""
        (descriptor,) = bound.descriptors([one])
        factory = Counting()
        port = await Inherited(reactor, os.dup(descriptor), lambda: False).listen(
            factory
        )
        self.addCleanup(port.stopListening)
        return factory, port

    async def test_connections_wait_until_a_worker_takes_them(self):
        one = listener("tcp:0:interface=127.0.0.1")
        bound = self.bound(one)
        (descriptor,) = bound.descriptors([one])
        with socket.socket(fileno=os.dup(descriptor)) as found:
            address = found.getsockname()
        with self.assertRaises(ConnectionRefusedError):  # nobody serves yet
            socket.create_connection(address, 5)
        factory, port = await self.taking(bound, one)
        port.stopReading()
        with socket.create_connection(address, 5):
            port.startReading()
            await factory.first
        self.assertEqual(factory.count, 1)

    async def test_a_worker_that_stops_leaves_the_socket_to_the_others(self):
        path = f"/tmp/{os.urandom(8).hex()}.sock"
        for one in (
            listener("tcp:0:interface=127.0.0.1"),
            listener(f"unix:{path}:mode=600"),
        ):
            bound = self.bound(one)
            (descriptor,) = bound.descriptors([one])
            with socket.socket(fileno=os.dup(descriptor)) as found:
                address, family = found.getsockname(), found.family
            _, port = await self.taking(bound, one)
            if family == socket.AF_UNIX:
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            await port.stopListening()
            factory, _ = await self.taking(bound, one)
            with socket.socket(family) as client:
                client.settimeout(5)
                client.connect(address)
                await factory.first
            bound.keep(())
        self.assertFalse(os.path.exists(path))

    async def test_sockets_that_stay_are_not_bound_anew(self):
        one, two = (listener(f"tcp:0:interface=127.0.0.{n}") for n in (1, 2))
        bound = self.bound(one)
        before = bound.descriptors([one])
        bound.bind([two, one])
        self.assertEqual(bound.descriptors([two, one])[1:], before)
        bound.keep([one])
        self.assertEqual(bound.descriptors([one]), before)
        with self.assertRaises(KeyError):
            bound.descriptors([two])

    async def test_an_address_that_is_taken_is_told_and_nothing_stays_bound(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            taken = listener(f"tcp:{port}:interface=127.0.0.1")
            one = listener("tcp:0:interface=127.0.0.1")
            bound = self.bound()
            with self.assertRaises(ConfigError) as raised:
                bound.bind([one, taken], taken_s=0.1)
            self.assertIn("Address already in use", str(raised.exception))
            with self.assertRaises(KeyError):
                bound.descriptors([one])

    def test_the_backlog_is_long_unless_somebody_says_otherwise(self):
        for given, found in [
            ("tcp:25", "tcp:25:backlog=511"),
            ("tcp:25:backlog=5", "tcp:25:backlog=5"),
            ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
        ]:
            self.assertEqual(with_backlog(given), found)
