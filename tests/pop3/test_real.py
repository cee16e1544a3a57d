"""The server on real sockets, driven by poplib: in clear, over STLS, over TLS."""

import poplib
import socket
import ssl
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from mailtwist.service.tls import ServerTls
from tests.transcript import SocketWire, play, read

from .world import ANN, World

OPEN = ssl.create_default_context()
OPEN.check_hostname, OPEN.verify_mode = False, ssl.CERT_NONE
LARGE = b"Subject: large\r\n\r\n" + (b".dots\r\n" + b"x" * 71 + b"\r\n") * 20_000


class RealTests(TestCase):
    timeout = 60

    def setUp(self):
        folder = Path(self.mktemp())
        folder.mkdir()
        self.tls = ServerTls(
            folder / "cert.pem", folder / "key.pem", "1.2", ["mx.test"]
        )
        self.tls.load()
        self.world = World(now=reactor, tls=self.tls, plaintext=False)
        self.world.put_small(3)
        self.world.put(LARGE)
        self.port = self.listen(self.world.factory)

    def listen(self, factory):
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(self.gone)
        return port.getHost().port

    def gone(self):
        """Every session has ended."""
        sessions = list(self.world.factory.sessions)
        for session in sessions:
            session.transport.abortConnection()
        waiting = Deferred()
        reactor.callLater(0, waiting.callback, None)
        return gatherResults([waiting])

    def session(self, client):
        """A whole session by poplib; what it saw."""
        try:
            client.user(ANN)
            client.pass_("demo")
            count, octets = client.stat()
            listed = client.list()[1]
            ids = client.uidl()[1]
            small = b"\r\n".join(client.retr(2)[1]) + b"\r\n"
            large = b"\r\n".join(client.retr(4)[1]) + b"\r\n"
            top = client.top(4, 1)[1]
            client.dele(1)
            return count, octets, listed, ids, small, large, top
        finally:
            client.quit()

    async def whole(self, connect):
        seen = await deferToThread(lambda: self.session(connect()))
        count, octets, listed, ids, small, large, top = seen
        self.assertEqual((count, len(listed), len(ids)), (4, 4, 4))
        self.assertEqual(sum(int(row.split()[1]) for row in listed), octets)
        self.assertIn(b"Hello 2", small)
        self.assertEqual(large, LARGE)
        self.assertEqual(top, [b"Subject: large", b"", b".dots"])
        self.assertEqual(self.world.subjects(), 3)

    def test_STLS(self):
        def connect():
            client = poplib.POP3("127.0.0.1", self.port, timeout=20)
            client.stls(OPEN)
            return client

        return Deferred.fromCoroutine(self.whole(connect))

    def test_implicit_TLS(self):
        port = self.listen(TLSMemoryBIOFactory(self.tls, False, self.world.factory))
        return Deferred.fromCoroutine(
            self.whole(
                lambda: poplib.POP3_SSL("127.0.0.1", port, timeout=20, context=OPEN)
            )
        )

    def test_a_Unix_socket(self):
        path = f"\0mailtwist-pop3-test-{id(self)}"
        port = reactor.listenUNIX(path, self.world.factory)
        self.addCleanup(port.stopListening)

        def talk():
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(path)
                client.sendall(b"CAPA\nQUIT\n")
                said = b""
                while more := client.recv(4096):
                    said += more
                return said

        async def talked():
            said = await deferToThread(talk)
            self.assertIn(b"\r\nUIDL\r\n", said)
            self.assertTrue(said.endswith(b"+OK bye\r\n"))

        return Deferred.fromCoroutine(talked())

    def test_octets_sent_in_clear_behind_STLS_do_not_act_inside_TLS(self):
        def talk():
            with socket.create_connection(("127.0.0.1", self.port), 20) as client:
                client.recv(1000)
                client.sendall(b"STLS\r\nCAPA\r\nQUIT\r\n")
                return client.recv(1000)

        async def talked():
            said = await deferToThread(talk)
            self.assertTrue(said.startswith(b"-ERR"))
            self.assertEqual(said.count(b"\r\n"), 1)

        return Deferred.fromCoroutine(talked())

    def test_a_transcript_over_TLS(self):
        def played():
            play(read("pop3-stls.txt"), lambda: SocketWire("127.0.0.1", self.port))

        return deferToThread(played)
