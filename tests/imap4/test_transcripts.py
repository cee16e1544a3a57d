"""Written conversations, in memory and over sockets."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.config.model import Imap4
from mailtwist.imap4.server import IMAP4Factory
from tests.transcript import FOLDER, SocketWire, play, read

from .room import Accounts, Room

FILES = sorted(path.name for path in FOLDER.glob("imap4-*.txt"))


class MemoryTests(SynchronousTestCase):
    def test_every_transcript(self):
        self.assertTrue(FILES)
        for name in FILES:
            try:
                play(read(name), Room().connect)
            except AssertionError as fault:
                raise AssertionError(f"{name}: {fault}") from fault


class SocketTests(TestCase):
    async def _play(self, name):
        room = Room()
        factory = IMAP4Factory(
            reactor=reactor,
            config=Imap4(),
            hostname="mail.example.test",
            authenticator=Accounts(room.store),
            tls=None,
        )
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        try:
            where = port.getHost().port
            await deferToThread(
                play, read(name), lambda: SocketWire("127.0.0.1", where)
            )
        finally:
            await port.stopListening()
            while factory.sessions:
                turn = Deferred()
                reactor.callLater(0.001, turn.callback, None)
                await turn

    def test_every_transcript(self):
        async def all_of_them():
            for name in FILES:
                await self._play(name)

        return Deferred.fromCoroutine(all_of_them())

    test_every_transcript.timeout = 30
