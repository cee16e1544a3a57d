"""Tests for mailtwist.store.maildir.render: large messages do not hold up others."""

from tempfile import TemporaryFile

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.model import Column
from mailtwist.mime.index import index
from mailtwist.store.maildir import render

LARGE = b"Subject: x\r\n\r\n" + b"text\r\n" * 3_000_000


class BusyClock(Clock):
    """A reactor on which every look at the clock costs 2 ms; it counts its turns."""

    turns = 0

    def callLater(self, *args, **kwargs):
        self.turns += 1
        return super().callLater(*args, **kwargs)

    def seconds(self):
        self.rightNow += 0.002
        return self.rightNow


class TurnTests(SynchronousTestCase):
    def setUp(self):
        self.reactor = BusyClock()

    def start(self, messages):
        found = {}
        done = Deferred.fromCoroutine(
            render._index(self.reactor, [0], messages, [], found, [Column.BODY])
        )
        return done, found

    def test_a_large_message_is_rendered_in_many_turns(self):
        done, found = self.start([LARGE])
        self.assertNoResult(done)
        self.reactor.advance(0)
        self.successResultOf(done)
        self.assertGreater(self.reactor.turns, 3)
        self.assertEqual(found[0], (index(LARGE)[Column.BODY],))

    def test_who_goes_away_in_the_middle_leaves_no_map_open(self):
        with TemporaryFile() as file:
            file.write(LARGE)
            file.flush()
            mapped = render.mmap.mmap(file.fileno(), 0, access=render.mmap.ACCESS_READ)
        done, _ = self.start([mapped])
        self.assertNoResult(done)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(mapped.closed)
