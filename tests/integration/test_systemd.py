"""A service manager that hands over sockets and wants to hear how the server is."""

from __future__ import annotations

import signal
import smtplib
import socket
import time

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
        self.manager.settimeout(30)

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

    def hear(self, line):
        """Until the manager is told this."""
        end = time.monotonic() + 30
        while line not in (told := self.manager.recv(4096).decode().splitlines()):
            if time.monotonic() > end:
                raise AssertionError(told)

    def test_sockets_are_taken_over_and_the_manager_is_told(self):
        for workers in (1, 2):
            daemon = self.started(workers)
            self.hear("READY=1")
            for _ in range(3):
                with smtplib.SMTP("127.0.0.1", daemon.port("smtp"), timeout=20) as one:
                    self.assertEqual(one.noop()[0], 250)
            self.hear("WATCHDOG=1")
            status = daemon.command("server", "status")
            self.assertIn(f"pid {daemon.process.pid}, up", status)
            self.assertEqual(status.count("serving"), workers)
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
