"""The conversations in tests/transcripts/pop3-*.txt, in memory."""

from twisted.trial.unittest import SynchronousTestCase

from tests.transcript import FOLDER, play, read

from .world import Wire, World

WORLDS = {"pop3-stls.txt": {"plaintext": False, "tls": object()}}


class TranscriptTests(SynchronousTestCase):
    def test_every_transcript(self):
        files = sorted(FOLDER.glob("pop3-*.txt"))
        self.assertGreaterEqual(len(files), 4)
        for file in files:
            world = World(**WORLDS.get(file.name, {}))
            world.put_small(3)
            play(read(file), lambda world=world: Wire(world.factory))
