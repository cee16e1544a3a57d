"""Tests for mailtwist.cli.server."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.cli.server import line_of, span


class ServerTests(SynchronousTestCase):
    def test_a_worker_is_a_line(self):
        worker = {"number": 1, "pid": 7, "state": "serving", "queue": True}
        told = {"sessions": {"smtp": 2, "imap4": 1}}
        for given, line in [
            (worker, "worker 1  pid 7  serving  runs the queue"),
            (
                worker | told,
                "worker 1  pid 7  serving  1 imap4, 2 smtp  runs the queue",
            ),
            (
                {"number": 0, "pid": 8, "state": "leaving", "sessions": {}},
                "worker 0  pid 8  leaving  no sessions",
            ),
        ]:
            self.assertEqual(line_of(given), line)

    def test_a_time_is_told_by_its_two_largest_units(self):
        for seconds, told in [
            (0.2, "0 s"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (90_061, "1 d 1 h"),
        ]:
            self.assertEqual(span(seconds), told)
