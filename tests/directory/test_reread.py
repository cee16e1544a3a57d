import os

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.reread import Reread
from mailtwist.errors import ConfigError

LONG_AGO_NS = 10**18


def numbers(path):
    """As a reader of credentials: what is wrong is told without the content."""
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        raise ConfigError(f"{path}: is no number") from None


class RereadTests(SynchronousTestCase):
    def setUp(self):
        self.path, self.clock, self.reads, self.writes = self.mktemp(), Clock(), 0, 0
        self.log = []
        globalLogPublisher.addObserver(self.log.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.log.append)

    def write(self, text, at_ns=None, wait_s=1.0):
        """Put a file in place as an editor does, with a time of its own."""
        self.writes += 1
        draft = f"{self.path}.new"
        with open(draft, "w") as file:
            file.write(text)
        at_ns = at_ns or LONG_AGO_NS + self.writes
        os.utime(draft, ns=(at_ns, at_ns))
        os.replace(draft, self.path)
        self.clock.advance(wait_s)

    def reread(self, **more):
        def read(path):
            self.reads += 1
            return numbers(path)

        return Reread(self.path, read, self.clock.seconds, **more)

    def told(self, level):
        return [e["log_format"] for e in self.log if e["log_level"].name == level]

    def test_a_change_of_a_file_that_the_content_names_counts_too(self):
        other = self.mktemp()
        with open(other, "w") as file:
            file.write("x")
        os.utime(other, ns=(LONG_AGO_NS, LONG_AGO_NS))
        self.write("1")
        content = self.reread(also=lambda number: (other,) if number else ())
        self.clock.advance(1)
        content()
        reads = self.reads
        for change, more in [(LONG_AGO_NS, 0), (LONG_AGO_NS + 5, 1)]:
            os.utime(other, ns=(change, change))
            for _ in range(3):
                self.clock.advance(1)
                content()
            self.assertEqual(self.reads, reads + more)
        self.write("0")
        self.assertEqual(content(), 0)
        self.clock.advance(1)
        content()
        reads = self.reads
        os.utime(other, ns=(LONG_AGO_NS + 9, LONG_AGO_NS + 9))
        self.clock.advance(1)
        self.assertEqual((content(), self.reads), (0, reads))

    def test_a_changed_file_counts_and_one_that_did_not_is_not_read(self):
        self.write("1")
        content = self.reread()
        for _ in range(5):
            self.clock.advance(1)
            self.assertEqual(content(), 1)
        self.assertEqual(self.reads, 1)
        self.write("2")
        self.assertEqual((content(), content(), self.reads), (2, 2, 2))

    def test_who_may_wait_reads_it_later_and_what_was_there_counts_until_then(self):
        self.write("1")
        waits = []

        def again(path):
            waits.append(Deferred())
            return waits[-1]

        known = self.reread(again=again)
        self.write("2")
        self.assertEqual([known(), known()], [1, 1])
        self.write("3")
        self.assertEqual(known(), 1)
        waits.pop(0).callback(2)
        self.assertEqual(known(), 2)
        self.clock.advance(1)
        self.assertEqual(known(), 2)
        waits.pop(0).errback(ConfigError("no number"))
        self.assertEqual((known(), waits, self.reads), (2, [], 1))
        self.assertEqual(len(self.told("error")), 1)
        self.write("4")
        known()
        waits.pop().callback(4)
        self.assertEqual(known(), 4)

    def test_it_is_looked_at_four_times_a_second_at_most(self):
        self.write("1")
        content = self.reread()
        self.write("2", wait_s=0.2)
        self.assertEqual(content(), 1)
        self.clock.advance(0.1)
        self.assertEqual(content(), 2)

    def test_a_bad_file_keeps_the_old_one_and_is_told_once(self):
        self.write("1")
        content = self.reread()
        for change in (lambda: self.write("secret"), lambda: os.remove(self.path)):
            change()
            for _ in range(3):
                self.clock.advance(1)
                self.assertEqual(content(), 1)
        self.assertEqual(len(self.told("error")), 1)
        self.assertNotIn("secret", str(self.log))
        self.write("4")
        self.assertEqual(content(), 4)
        self.write("bad")
        self.assertEqual(content(), 4)
        self.assertEqual(len(self.told("error")), 2)

    def test_the_first_must_be_good(self):
        self.assertRaises(ConfigError, self.reread)

    def test_what_was_written_just_now_is_read_once_more(self):
        now_ns = [LONG_AGO_NS]
        self.write("1", LONG_AGO_NS)
        content = self.reread(now_ns=lambda: now_ns[0])
        with open(self.path, "r+") as file:  # within the tick of the file's clock
            file.write("2")
        os.utime(self.path, ns=(LONG_AGO_NS, LONG_AGO_NS))
        self.clock.advance(1)
        now_ns[0] += 10**9
        self.assertEqual(content(), 2)
