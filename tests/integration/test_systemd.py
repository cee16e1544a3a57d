"""A service manager that hands over sockets and wants to hear how the server is."""

from __future__ import annotations

import signal
import smtplib
import socket
import threading
import time
from collections import deque

from twisted.trial.unittest import SynchronousTestCase

from .daemon import Daemon

ACTIVATE = "/usr/bin/systemd-socket-activate"
CONFIG = """
[process]
workers = {workers}
[limits]
stop_grace_s = 1
"""


class SystemdTests(SynchronousTestCase):
    timeout = 120

    def setUp(self):
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind("")  # the kernel chooses
        self.told = deque()
        thread = threading.Thread(target=self.listen, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 20)
        self.addCleanup(self.manager.shutdown, socket.SHUT_RD)

    def started(self, workers):
        """A daemon whose sockets are opened by somebody else, at the first client."""
        daemon = Daemon(CONFIG.format(workers=workers))
        self.addCleanup(daemon.remove)
        text, names = daemon.config.read_text(), []
        words = [ACTIVATE, "--setenv=NOTIFY_SOCKET", "--setenv=WATCHDOG_USEC"]
        words += ["--setenv=PYTHONPATH", "--setenv=PATH"]
        for name, port in daemon.ports.items():
            endpoint = f"tcp:{port}:interface={daemon.address}"
            text = text.replace(endpoint, f"systemd:domain=INET:name={name}")
            words.append(f"--listen={daemon.address}:{port}")
            names.append(name)
        daemon.config.write_text(text)
        daemon.before = [*words, f"--fdname={':'.join(names)}"]
        address = self.manager.getsockname().decode().replace("\0", "@")
        told = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"}
        environment = daemon.environment()
        self.patch(daemon, "environment", lambda: environment | told)
        daemon.start()
        return daemon

    def listen(self):
        """A manager takes what it is told at once."""
        while lines := self.manager.recv(4096).decode().splitlines():
            self.told.append(lines)

    def hear(self, line):
        """Until the manager was told this, behind what was heard last."""
        end = time.monotonic() + 60
        while True:
            while self.told:
                if line in self.told.popleft():
                    return
            self.assertLess(time.monotonic(), end, line)
            Daemon.pause()

    def test_sockets_are_taken_over_and_the_manager_is_told(self):
        for workers in (1, 2):
            daemon = self.started(workers)
            self.hear("READY=1")
            for _ in range(3):
                with smtplib.SMTP("127.0.0.1", daemon.port("smtp"), timeout=20) as one:
                    self.assertEqual(one.noop()[0], 250)
            self.hear("WATCHDOG=1")
            end = time.monotonic() + 60
            while True:
                status = daemon.command("server", "status")
                self.assertIn(f"pid {daemon.process.pid}, up", status)
                if status.count("serving") == workers:
                    break
                self.assertLess(time.monotonic(), end, status)
            self.assertEqual(daemon.stop(), -signal.SIGTERM)
            self.hear("STOPPING=1")
            self.assertNotIn("Traceback", daemon.log.read_text())

    def test_a_reload_is_told_with_its_end_and_workers_keep_the_sockets(self):
        daemon = self.started(2)
        self.hear("READY=1")
        before = daemon.workers()
        said = daemon.command("server", "reload")
        self.assertEqual(said, "2 workers were replaced\n")
        self.hear("STATUS=Replacing workers")
        self.hear("READY=1")
        self.assertEqual(set(before) & set(daemon.workers()), set())
        with smtplib.SMTP("127.0.0.1", daemon.port("smtp"), timeout=20) as one:
            self.assertEqual(one.noop()[0], 250)
        environment = f"/proc/{daemon.workers()[0]}/environ"
        with open(environment) as file:
            self.assertNotIn("LISTEN_FDS", file.read())
