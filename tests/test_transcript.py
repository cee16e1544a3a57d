import zlib

from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from .transcript import MemoryWire, parse, play


class Echo(Protocol):
    """Says every line back with a number; closes at "bye"."""

    count = 0

    def connectionMade(self):
        self.transport.write(b"hello 17\r\n")

    def dataReceived(self, data):
        for line in data.splitlines():
            self.count += 1
            self.transport.write(b"%d %s\r\n" % (self.count, line))
            if line == b"bye":
                self.transport.loseConnection()


class Deflating(Protocol):
    """Says every line back, compressed behind the first one."""

    streams = None

    def connectionMade(self):
        self.transport.write(b"hello\r\n")

    def dataReceived(self, data):
        if self.streams is None:
            self.transport.write(b"ok\r\n")
            self.streams = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)
        else:
            out, into = self.streams
            said = out.compress(into.decompress(data)) + out.flush(zlib.Z_SYNC_FLUSH)
            self.transport.write(said)


class TranscriptTests(SynchronousTestCase):
    def play(self, *lines):
        return self.play_on(Echo, *lines)

    def play_on(self, protocol, *lines):
        return play(parse("\n".join(lines)), lambda: MemoryWire(protocol()))

    def test_lines_wildcards_and_names(self):
        names = self.play(
            "# title",
            "S: hello $n",
            "C: one $n",
            "C| two\\x41\\r\\n",
            "S: 1 one 17",
            "S: ... two...",
            "S-",
            "C: bye",
            "S: 3 bye",
            "S.",
        )
        self.assertEqual(names, {"n": "17"})

    def test_two_connections_and_any_order(self):
        self.play(
            "S: hello ...",
            "2 S: hello ...",
            "C: a",
            "C: b",
            "S~ 2 b",
            "S~ 1 a",
            "2 C: x",
            "2 C: y",
            "2 S> 2 y",
            "OFF",
        )

    def test_a_wrong_line_is_named_by_its_number(self):
        fault = self.assertRaises(AssertionError, self.play, "", "S: hello", "S: bye")
        self.assertIn("line 2, connection 1: wanted 'hello'", str(fault))

    def test_unread_lines_before_the_close_are_a_fault(self):
        self.assertRaises(AssertionError, self.play, "S: ...", "C: bye", "S.")

    def test_an_unknown_step_is_refused(self):
        self.assertRaises(AssertionError, parse, "X: what")

    def test_a_head_says_what_is_shown_and_wanted(self):
        transcript = parse("# t\nshows: A B=C\nwith: x y=3\nshows: D\nC: a\n2 C: b")
        self.assertEqual(transcript.shows, ("A", "B=C", "D"))
        self.assertEqual(transcript.settings, {"x": "", "y": "3"})
        self.assertEqual(transcript.clients, 2)
        self.assertRaises(AssertionError, parse, "C: a\nshows: A")

    def test_lines_are_compressed_from_deflate_on(self):
        self.play_on(Deflating, "S: hello", "C: on", "S: ok", "DEFLATE", "C: a", "S: a")
