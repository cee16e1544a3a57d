"""The agent program that cannot serve says why; a program's input while it comes."""

import socket

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.store.agent import main
from mailtwist.store.agent.codec import unpacked
from mailtwist.store.agent.program import HELD_OCTETS, Arriving


class MainTests(SynchronousTestCase):
    def test_why_it_cannot_serve_is_told_as_a_line_for_the_log(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.patch(main, "SOCKET", theirs.fileno())

        self.patch(main.os, "getresuid", lambda: (7001, 0, 7001))
        self.assertEqual(main.main(["{}"]), 1)
        frame = ours.recv(10_000)
        self.assertEqual(int.from_bytes(frame[:4]), len(frame) - 4)
        number, kind, (level, text) = unpacked(frame[4:])
        self.assertEqual((number, kind, level), (0, "log", "critical"))
        self.assertIn("agents do not run as root", text)


class ArrivingTests(SynchronousTestCase):
    def read(self, content, start=0, count=100):
        return Deferred.fromCoroutine(content.read(start, count))

    def test_a_reader_waits_for_octets_and_gets_them_in_order(self):
        content = Arriving(6)
        reading = self.read(content)
        self.assertNoResult(reading)
        self.assertIsNone(content.write(b"abc"))
        self.assertEqual(self.successResultOf(reading), b"abc")
        content.write(b"def")
        self.assertEqual(self.successResultOf(self.read(content, 3, 2)), b"de")
        self.assertEqual(self.successResultOf(self.read(content, 5, 2)), b"f")
        self.assertEqual(self.successResultOf(self.read(content, 6)), b"")

    def test_a_writer_waits_while_too_much_is_held(self):
        content = Arriving(2 * HELD_OCTETS)
        self.assertIsNone(content.write(b"x" * HELD_OCTETS))
        waiting = content.write(b"y")
        self.assertNoResult(waiting)
        self.successResultOf(self.read(content, 0, 10))
        self.assertIsNone(self.successResultOf(waiting))

    def test_its_end_lets_everybody_go(self):
        content = Arriving(2 * HELD_OCTETS)
        reading = self.read(content)
        content.end()
        self.assertEqual(self.successResultOf(reading), b"")
        self.assertIsNone(content.write(b"x" * 2 * HELD_OCTETS))
        full = Arriving(2 * HELD_OCTETS)
        waiting = full.write(b"x" * 2 * HELD_OCTETS)
        full.end()
        self.assertIsNone(self.successResultOf(waiting))
