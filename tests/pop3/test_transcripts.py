"""Written conversations: in memory, over sockets, and over TLS."""

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.transcript import FOLDER, play, read
from tests.transcript_socket import play_on, self_signed

from .world import Wire, World

FILES = sorted(path.name for path in FOLDER.glob("pop3-*.txt"))


def world_for(transcript, tls, **options):
    """Three messages; where the transcript starts TLS, passwords wait for it."""
    starts = transcript.starts_tls
    world = World(plaintext=not starts, tls=tls if starts else None, **options)
    world.put_small(3)
    return world


class TranscriptTests(SynchronousTestCase):
    def test_every_transcript(self):
        self.assertGreaterEqual(len(FILES), 4)
        for name in FILES:
            world = world_for(read(name), object())
            play(read(name), lambda world=world: Wire(world.factory))


class SocketTests(TestCase):
    timeout = 60

    def setUp(self):
        self.tls = self_signed(self.mktemp())

    async def test_every_transcript(self):
        for name in FILES:
            world = world_for(read(name), self.tls, now=reactor)
            await play_on(world.factory, read(name))

    async def test_every_transcript_over_implicit_tls(self):
        for name in FILES:
            if not read(name).starts_tls:
                world = world_for(read(name), None, now=reactor)
                await play_on(world.factory, read(name), self.tls)
