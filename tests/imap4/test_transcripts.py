"""Written conversations: in memory, over sockets, and over TLS."""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.config.model import Imap4
from mailtwist.imap4.server import IMAP4Factory
from mailtwist.service.tls import ServerTls, write_self_signed
from tests.transcript import FOLDER, SocketWire, play, read

from .room import Accounts, Room

FILES = sorted(path.name for path in FOLDER.glob("imap4-*.txt"))


def starts_tls(transcript):
    return any(step.mark == "TLS" for step in transcript.steps)


class MemoryTests(SynchronousTestCase):
    def test_every_transcript(self):
        self.assertTrue(FILES)
        for name in FILES:
            transcript = read(name)
            room = Room(tls=object()) if starts_tls(transcript) else Room()
            room.accounts.plaintext_without_tls = not starts_tls(transcript)
            try:
                play(transcript, room.connect)
            except AssertionError as fault:
                raise AssertionError(f"{name}: {fault}") from fault


class SocketTests(TestCase):
    def setUp(self):
        folder = Path(self.mktemp())
        folder.mkdir()
        certificate, key = folder / "c.pem", folder / "k.pem"
        write_self_signed(certificate, key, ["mail.example.test"])
        self.tls = ServerTls(certificate, key, "1.2")
        self.tls.load()

    async def _play(self, name, implicit):
        transcript = read(name)
        accounts = Accounts(Room().store)
        accounts.plaintext_without_tls = not starts_tls(transcript)
        factory = IMAP4Factory(
            reactor=reactor,
            config=Imap4(),
            hostname="mail.example.test",
            authenticator=accounts,
            tls=self.tls if starts_tls(transcript) else None,
        )
        outer = TLSMemoryBIOFactory(self.tls, False, factory) if implicit else factory
        port = reactor.listenTCP(0, outer, interface="127.0.0.1")
        where = port.getHost().port
        try:
            await deferToThread(
                play, transcript, lambda: SocketWire("127.0.0.1", where, tls=implicit)
            )
        except AssertionError as fault:
            raise AssertionError(f"{name}: {fault}") from fault
        finally:
            await port.stopListening()
            while factory.sessions:
                turn = Deferred()
                reactor.callLater(0.001, turn.callback, None)
                await turn

    def test_every_transcript(self):
        async def all_of_them():
            for name in FILES:
                await self._play(name, False)

        return Deferred.fromCoroutine(all_of_them())

    def test_every_transcript_over_implicit_tls(self):
        async def all_of_them():
            for name in FILES:
                if not starts_tls(read(name)):
                    await self._play(name, True)

        return Deferred.fromCoroutine(all_of_them())

    test_every_transcript.timeout = 30
    test_every_transcript_over_implicit_tls.timeout = 30
