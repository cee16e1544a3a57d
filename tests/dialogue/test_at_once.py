"""Tests for mailtwist.dialogue.at_once, over real sockets."""

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailtwist.dialogue.at_once import write_at_once

LARGE = b"".join(b"%09d\n" % number for number in range(3_000_000))


class Talker(Protocol):
    """Fires `made` with itself, `lost` at its end."""

    def __init__(self):
        self.made, self.lost = Deferred(), Deferred()

    def connectionMade(self):
        self.made.callback(self)

    def connectionLost(self, reason):
        self.lost.callback(None)


class AtOnceTests(TestCase):
    async def setUp(self):
        self.talker = Talker()
        factory = Factory.forProtocol(lambda: self.talker)
        self.port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(
            factory
        )
        self.addCleanup(self.port.stopListening)
        self.client = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        self.client.settimeout(30)
        self.addCleanup(self.client.close)
        await self.talker.made

    async def _closed(self):
        self.talker.transport.loseConnection()
        await self.talker.lost

    async def test_octets_are_there_before_the_reactor_turns(self):
        write_at_once(self.talker.transport, b"250 Ok\r\n")
        self.assertEqual(self.client.recv(100), b"250 Ok\r\n")
        await self._closed()

    async def test_what_the_socket_does_not_take_follows_in_order(self):
        write_at_once(self.talker.transport, LARGE)
        write_at_once(self.talker.transport, b"the end")
        self.talker.transport.loseConnection()

        def read_all():
            with self.client.makefile("rb") as stream:
                return stream.read()

        read = await deferToThread(read_all)
        self.assertEqual(len(read), len(LARGE) + 7)
        self.assertEqual(read, LARGE + b"the end")
        await self.talker.lost

    async def test_behind_octets_that_wait_nothing_overtakes(self):
        self.talker.transport.write(b"first ")
        write_at_once(self.talker.transport, b"second")
        await self._closed()
        self.assertEqual(self.client.makefile("rb").read(), b"first second")

    async def test_to_a_peer_that_is_gone_it_is_the_transport_that_tells(self):
        self.client.close()
        for _ in range(3):
            write_at_once(self.talker.transport, b"x" * 100_000)
        await self.talker.lost
        write_at_once(self.talker.transport, b"nobody reads it")
        self.assertFalse(self.talker.transport.connected)
