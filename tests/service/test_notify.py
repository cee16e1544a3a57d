"""Tests for mailtwist.service.notify."""

import os
import socket
import tempfile

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.service.notify import Notifier, watchdog_s


class Reactor(Clock):
    def callWhenRunning(self, call):
        self.callLater(0, call)


class NotifierTests(SynchronousTestCase):
    def manager(self, name):
        """A socket such as systemd has."""
        found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(found.close)
        found.bind(name)
        found.settimeout(5)
        return found

    def test_a_manager_hears_of_start_life_reload_and_end(self):
        folder = tempfile.mkdtemp()
        path = f"{folder}/notify"
        self.addCleanup(os.rmdir, folder)
        self.addCleanup(os.unlink, path)
        for name, address in [
            (path, path),
            ("\0mailtwist-" + path, "@mailtwist-" + path),
        ]:
            manager, reactor = self.manager(name), Reactor()
            environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000000"}
            notifier = Notifier(reactor, environment)
            notifier.startService()
            reactor.advance(0)
            self.assertEqual(manager.recv(1000), b"READY=1\nSTATUS=Serving")
            reactor.advance(9.9)
            notifier.reloading()
            self.assertTrue(manager.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_U"))
            notifier.ready()
            self.assertTrue(manager.recv(1000).startswith(b"READY=1\n"))
            reactor.advance(0.1)
            self.assertEqual(manager.recv(1000), b"WATCHDOG=1")
            notifier.stopService()
            self.assertTrue(manager.recv(1000).startswith(b"STOPPING=1\n"))
            notifier.ready()  # a reload that ends late
            self.assertEqual(reactor.getDelayedCalls(), [])
            manager.setblocking(False)
            self.assertRaises(BlockingIOError, manager.recv, 1000)

    def test_a_manager_that_is_slow_hears_it_later_and_in_order(self):
        manager, reactor = (
            self.manager("\0mailtwist-slow-" + os.urandom(8).hex()),
            Reactor(),
        )
        address = manager.getsockname().decode().replace("\0", "@")
        notifier = Notifier(reactor, {"NOTIFY_SOCKET": address})
        notifier.startService()
        reactor.advance(0)
        self.assertTrue(manager.recv(1000).startswith(b"READY=1"))
        for number in range(100):
            notifier.tell(f"X={number}")
        manager.setblocking(False)
        told = []
        while True:
            try:
                told.append(manager.recv(1000))
            except BlockingIOError:
                if not notifier._unsent:
                    break
                reactor.advance(0.1)
        self.assertEqual(told[-1], b"X=99")
        self.assertEqual(told, sorted(told, key=lambda line: int(line[2:])))
        notifier.stopService()
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_without_a_manager_nothing_happens(self):
        reactor = Reactor()
        for environment in ({}, {"NOTIFY_SOCKET": "/nowhere/at/all"}):
            notifier = Notifier(reactor, environment)
            notifier.startService()
            reactor.advance(0)
            notifier.stopService()
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_the_watchdog_may_be_for_another_process(self):
        for environment, found in [
            ({"WATCHDOG_USEC": "3000000"}, 3.0),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 3.0),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, 0.0),
            ({"WATCHDOG_USEC": "soon"}, 0.0),
            ({}, 0.0),
        ]:
            self.assertEqual(watchdog_s(environment, 7), found)
