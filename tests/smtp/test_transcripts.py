"""The written conversations, in memory and over sockets; TLS as it is."""

import socket
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.service.tls import ServerTls

from ..transcript import FOLDER, SocketWire, play, read
from .rooms import House

NAMES = sorted(path.name for path in FOLDER.glob("[sl]mtp-*.txt"))
ROLES = {"smtp-submission.txt": "submission", "lmtp-session.txt": "lmtp"}

TO_DATA = b"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n"


class MemoryTests(SynchronousTestCase):
    def test_every_transcript(self):
        self.assertGreaterEqual(len(NAMES), 6)
        for name in NAMES:
            house = House(role=ROLES.get(name, "smtp"))
            play(read(name), lambda house=house: house.connect())
            self.assertEqual(house.factory.sessions, set(), name)


class SocketTests(TestCase):
    """Real sockets, a real reactor and real TLS."""

    def setUp(self):
        folder = Path(self.mktemp())
        folder.mkdir()
        self.tls = ServerTls(
            folder / "c.pem", folder / "k.pem", "1.2", ["mx.example.test"]
        )
        self.tls.load()

    def house(self, *, implicit=False, unix=None, **options):
        house = House(tls=None if implicit else self.tls, **options)
        house.factory.reactor = reactor
        house.ended = Deferred()
        factory = house.factory
        if implicit:
            factory = TLSMemoryBIOFactory(self.tls, False, factory)
        if unix:
            port = reactor.listenUNIX(unix, factory)
        else:
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            house.port = port.getHost().port
        self.addCleanup(port.stopListening)
        return house

    async def closed(self, house):
        """Until no connection is left."""
        while house.factory.sessions:
            waiting = Deferred()
            reactor.callLater(0.005, waiting.callback, None)
            await waiting

    async def test_every_transcript(self):
        for name in NAMES:
            house = self.house(role=ROLES.get(name, "smtp"))
            await deferToThread(
                play, read(name), lambda h=house: SocketWire("127.0.0.1", h.port)
            )
            await self.closed(house)

    async def test_implicit_TLS_offers_logins_and_is_told_in_the_trace(self):
        house = self.house(implicit=True)

        def talk():
            wire = SocketWire("127.0.0.1", house.port, tls=True)
            wire.send(TO_DATA)
            told = [wire.line()]
            while not told[-1].startswith(b"354"):
                told.append(wire.line())
            wire.send(b"x: y\r\n.\r\nQUIT\r\n")
            told += [wire.line(), wire.line()]
            self.assertTrue(wire.is_closed())
            wire.close()
            return told

        told = await deferToThread(talk)
        await self.closed(house)
        self.assertIn(b"250-AUTH PLAIN LOGIN", told)
        self.assertNotIn(b"250-STARTTLS", told)
        self.assertEqual(told[-2][:9], b"250 2.0.0")
        trace = house.delivery.messages[0][0].trace
        self.assertIn(b"with ESMTPS id", trace)
        self.assertIn(b"(using TLSv1.3 with cipher TLS_", trace)

    async def test_octets_behind_STARTTLS_get_no_answer_inside_TLS(self):
        house = self.house()

        def talk():
            wire = SocketWire("127.0.0.1", house.port)
            wire.line()
            wire.send(b"STARTTLS\r\nEHLO evil\r\n")
            told = wire.line()
            closed = wire.is_closed()
            wire.close()
            return told, closed

        told, closed = await deferToThread(talk)
        await self.closed(house)
        self.assertEqual(told[:9], b"421 4.7.0")
        self.assertTrue(closed)

    async def test_a_client_that_never_reads_is_cut_off(self):
        house = self.house(command_s=1.0)
        client = socket.create_connection(("127.0.0.1", house.port))
        client.setblocking(False)
        self.addCleanup(client.close)
        sent, cut = 0, False
        while not cut and sent < 400 * 2**20:
            try:
                sent += client.send(b"HELP\r\n" * 10_000)
            except BlockingIOError:
                pass
            except OSError:
                cut = True
            waiting = Deferred()
            reactor.callLater(0.002, waiting.callback, None)
            await waiting
            cut = cut or (sent > 0 and not house.factory.sessions)
        self.assertTrue(cut)
        self.assertLess(sent, 100 * 2**20)
        self.assertEqual(house.factory.sessions, set())

    async def test_a_client_that_shuts_its_side_gets_its_answers(self):
        house = self.house()

        def talk():
            with socket.create_connection(("127.0.0.1", house.port)) as client:
                client.sendall(TO_DATA + b"x: y\r\n.\r\n")
                client.shutdown(socket.SHUT_WR)
                told = b""
                while more := client.recv(4096):
                    told += more
            return told

        told = await deferToThread(talk)
        await self.closed(house)
        self.assertIn(b"\r\n250 2.0.0 ", told)

    async def test_a_unix_socket_is_served(self):
        path = self.mktemp()[-60:].replace("/", "_")
        house = self.house(unix=path)

        def talk():
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                client.sendall(b"EHLO me\r\nQUIT\r\n")
                told = b""
                while more := client.recv(4096):
                    told += more
            return told

        self.assertIn(b"\r\n221 2.0.0", await deferToThread(talk))
        await self.closed(house)

    async def test_a_lost_client_in_a_message_leaves_nothing(self):
        house = self.house()

        def talk():
            with socket.create_connection(("127.0.0.1", house.port)) as client:
                client.sendall(TO_DATA + b"x")
                client.settimeout(5)
                told = b""
                while b"354" not in told:
                    told += client.recv(4096)

        await deferToThread(talk)
        await self.closed(house)
        self.assertEqual([sink.state for sink in house.delivery.sinks], ["aborted"])
