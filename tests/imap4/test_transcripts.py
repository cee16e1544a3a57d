"""Written conversations: in memory, over sockets, and over TLS."""

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.config.model import Imap4
from mailtwist.imap4.server import IMAP4Factory
from tests.transcript import FOLDER, play, read
from tests.transcript_socket import play_on, self_signed

from .room import Accounts, Room

FILES = sorted(path.name for path in FOLDER.glob("imap4-*.txt"))


class MemoryTests(SynchronousTestCase):
    def test_every_transcript(self):
        self.assertTrue(FILES)
        for name in FILES:
            transcript = read(name)
            room = Room(tls=object()) if transcript.starts_tls else Room()
            room.accounts.plaintext_without_tls = not transcript.starts_tls
            try:
                play(transcript, room.connect)
            except AssertionError as fault:
                raise AssertionError(f"{name}: {fault}") from fault


class SocketTests(TestCase):
    timeout = 60

    def setUp(self):
        self.tls = self_signed(self.mktemp())

    async def played(self, name, implicit=None):
        transcript = read(name)
        accounts = Accounts(Room().store)
        accounts.plaintext_without_tls = not transcript.starts_tls
        factory = IMAP4Factory(
            reactor=reactor,
            config=Imap4(),
            hostname="mail.example.test",
            authenticator=accounts,
            tls=self.tls if transcript.starts_tls else None,
        )
        try:
            await play_on(factory, transcript, implicit)
        except AssertionError as fault:
            raise AssertionError(f"{name}: {fault}") from fault

    async def test_every_transcript(self):
        for name in FILES:
            await self.played(name)

    async def test_every_transcript_over_implicit_tls(self):
        for name in FILES:
            if not read(name).starts_tls:
                await self.played(name, self.tls)
