"""Written conversations: in memory, over sockets, and over TLS."""

from os.path import abspath

from attrs import evolve, frozen
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.config.model import Config
from mailtwist.config.reading import Imap4
from mailtwist.imap4.capability import CAPABILITIES
from mailtwist.mailbox.special_uses import STANDARD
from mailtwist.store.local import LocalStore
from tests.transcript import FOLDER, play, read
from tests.transcript_socket import play_on, self_signed

from .scene import scene

FILES = sorted(path.name for path in FOLDER.glob("imap4-*.txt"))
ALONE = {  # what a second client cannot make different, and why
    "SASL-IR": "it saves a round trip of a connection",
    "ID": "it tells about a connection",
    "STARTTLS": "it is about a connection before login",
    "LOGINDISABLED": "it is about a connection before login",
}


class MemoryTests(SynchronousTestCase):
    def begun(self, name):
        transcript = read(name)
        tls = object() if transcript.starts_tls else None
        return transcript, scene(self, transcript, tls=tls)

    def test_every_transcript(self):
        self.assertTrue(FILES)
        for name in FILES:
            transcript = read(name)
            room = scene(
                self, transcript, tls=object() if transcript.starts_tls else None
            )
            try:
                play(transcript, room.connect)
            except AssertionError as fault:
                raise AssertionError(f"{name}: {fault}") from fault

    def test_what_a_transcript_shows_is_told_by_its_server(self):
        for name in FILES:
            transcript = read(name)
            room = scene(
                self, transcript, tls=object() if transcript.starts_tls else None
            )
            client = room.connect()
            told = client.ask("CAPABILITY")[1].split()
            room.accounts.plaintext_without_tls = True
            client.ask("LOGIN ann demo")
            told += client.ask("CAPABILITY")[0].split()
            told = {word.decode().partition("=")[0] for word in told} | {
                word.decode() for word in told
            }
            self.assertEqual(set(transcript.shows) - told, set(), name)


class ShownTests(SynchronousTestCase):
    """Every capability has transcripts."""

    def setUp(self):
        self.alone, self.together = set(), set()
        for name in FILES:
            transcript = read(name)
            seen = self.alone if transcript.clients == 1 else self.together
            seen.update(transcript.shows)

    def test_every_capability_is_shown_with_one_client(self):
        self.assertEqual({row.name for row in CAPABILITIES} - self.alone, set())

    def test_every_capability_is_shown_with_two_clients(self):
        rows = {row.name for row in CAPABILITIES}
        self.assertEqual(rows - self.together, set(ALONE))

    def test_what_is_shown_is_a_capability(self):
        rows = {row.name for row in CAPABILITIES}
        self.assertEqual((self.alone | self.together) - rows, set())


@frozen
class Homes:
    """A store whose accounts live in one folder."""

    store: LocalStore
    folder: str
    mailbox: str

    def mailboxes(self, account):
        home = f"{self.folder}/{account.name}"
        account = evolve(account, home=home, mailbox=self.mailbox)
        return self.store.mailboxes(account)


class SocketTests(TestCase):
    timeout = 120

    def setUp(self):
        self.tls = self_signed(self.mktemp())

    async def played(self, name, implicit=None, store=None):
        transcript = read(name)
        room = scene(
            self,
            transcript,
            clock=reactor,
            tls=self.tls if transcript.starts_tls else None,
            store=store,
        )
        try:
            await play_on(room.factory, transcript, implicit)
        except AssertionError as fault:
            raise AssertionError(f"{name}: {fault}") from fault

    async def test_every_transcript(self):
        for name in FILES:
            await self.played(name)

    async def test_every_transcript_over_implicit_tls(self):
        for name in FILES:
            if not read(name).starts_tls:
                await self.played(name, self.tls)

    async def test_every_transcript_over_a_maildir(self):
        await self.on_disk("Maildir/")

    async def test_every_transcript_over_mbox_files(self):
        await self.on_disk("mbox:mail:INBOX=inbox")

    async def on_disk(self, mailbox):
        for name in FILES:
            settings = read(name).settings
            if "slow_copy" in settings:
                continue  # of the store in memory
            uses = STANDARD if "uses" in settings else ()
            config = Config(imap4=Imap4(special_uses=uses))
            store = LocalStore(reactor=reactor, config=config, hostname="mx.test")
            try:
                homes = Homes(store, abspath(self.mktemp()), mailbox)
                await self.played(name, store=homes)
            finally:
                await store.close()
