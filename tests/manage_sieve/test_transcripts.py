"""Written conversations: in memory, over sockets, and over TLS."""

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.transcript import FOLDER, play, read
from tests.transcript_socket import play_on, self_signed

from .world import Wire, World

FILES = sorted(path.name for path in FOLDER.glob("manage-sieve-*.txt"))


def world_for(transcript, tls, **options):
    """Where the transcript starts TLS, passwords wait for it."""
    starts = transcript.starts_tls
    settings = {name: int(value) for name, value in transcript.settings.items()}
    return World(
        plaintext=not starts, tls=tls if starts else None, **settings, **options
    )


class TranscriptTests(SynchronousTestCase):
    def test_every_transcript(self):
        self.assertGreaterEqual(len(FILES), 4)
        for name in FILES:
            world = world_for(read(name), object())
            play(read(name), lambda world=world: Wire(world.factory))
            self.assertEqual(world.factory.sessions, set(), name)
            self.assertEqual(world.clock.getDelayedCalls(), [], name)


class SocketTests(TestCase):
    timeout = 60

    def setUp(self):
        self.tls = self_signed(self.mktemp())

    async def test_every_transcript(self):
        for name in FILES:
            world = world_for(read(name), self.tls, reactor=reactor)
            await play_on(world.factory, read(name))

    async def test_every_transcript_over_implicit_tls(self):
        for name in FILES:
            if not read(name).starts_tls:
                world = world_for(read(name), None, reactor=reactor)
                await play_on(world.factory, read(name), self.tls)
