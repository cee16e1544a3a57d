"""Hosts that exchange mail as the Internet does: on loopback, with a DNS of their own.

    class SomeTests(WorldTestCase):
        def test_something(self):
            self.world.a.add_user("ann")     # servidorA: a.test, a2.test
            self.world.b.add_user("bob")     # servidorB: b.test, b2.test

Each host has an address in 127.0.0.0/8 of its own; all take SMTP on one port, which is
the one that MX hosts are reached at (`relay.port`), so nothing here needs root.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, ROOT, Daemon, free_port
from tests.integration.programs import message
from tests.integration.smtp_peer import Script, SmtpPeer

WAIT_S = 30.0


def until(
    what: Callable[[], Any], told: Callable[[], str] = str, wait_s: float = WAIT_S
) -> Any:
    """What `what()` gives as soon as that is true; `told()` explains why it is not."""
    end = time.monotonic() + wait_s
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"it did not come to pass: {told()}")
        Daemon.pause()


class Dns:
    """The DNS of a world, at an address; `set` changes what it says."""

    def __init__(self, folder: Path, at: str = "127.0.0.1") -> None:
        self._file = folder / "zone.json"
        self._zone: dict[str, list[Any]] = {}
        self.set({})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.name_server", self._file, at],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        assert self.process.stdout is not None  # noqa: S101 - for the type
        self.address = self.process.stdout.readline().strip()

    def set(self, rows: dict[str, list[Any]]) -> None:
        """More rows: "MX a.test": [[10, "mx.a.test"]]; an empty list takes one out."""
        self._zone |= rows
        self._zone = {key: values for key, values in self._zone.items() if values}
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(self._zone))
        draft.replace(self._file)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def _loopback_addresses() -> Iterator[str]:
    """No address twice in a process, as worlds stay until it ends; those of another
    process begin elsewhere."""
    for network in count(os.getpid(), 97):
        for last in range(1, 255):
            yield f"127.{network >> 8 & 127 | 128}.{network & 255}.{last}"


_addresses = _loopback_addresses()


class World:
    """A DNS, and servidorA and servidorB that know it; `extra` is TOML for both,
    `relay` lines of its `[relay]`."""

    def __init__(self, extra: str = "", relay: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-world-"))
        self.folder.chmod(0o755)
        self.extra, self.relay, self.dns_options = extra, relay, ""
        self._peers = 0
        self._hosts: list[Daemon] = []
        self._ends: list[Callable[[], object]] = []

    def start(self) -> None:
        """Start everything; `remove` ends it even if this fails."""
        self.dns = Dns(self.folder)
        self.at_end(self.dns.stop)
        self.start_hosts()

    def start_hosts(self, *more: str, extra_b: str = "", top_b: str = "") -> None:
        """servidorA and servidorB, that one with `more` domains."""
        self.port = free_port()
        self.a = self.host("servidora.test", "a.test", "a2.test")
        domains = ("b.test", "b2.test", *more)
        self.b = self.host("servidorb.test", *domains, extra=extra_b, top=top_b)

    def at_end(self, what: Callable[[], object]) -> None:
        """Do this when the world ends, last thing first."""
        self._ends.append(what)

    def address(self, name: str, *domains: str) -> str:
        """A new address, the MX of `domains`, by the name of a host in the DNS."""
        address = next(_addresses)
        self.dns.set(
            {f"A {name}": [address]}
            | {f"MX {domain}": [[10, name]] for domain in domains}
        )
        return address

    def configuration(self) -> str:
        return (
            f"[relay]\nport = {self.port}\nloopback_hosts = true\n{self.relay}"
            f'[dns]\nservers = ["{self.dns.address}"]\n{self.dns_options}'
            "[queue]\nfirst_retry_s = 0.5\nmost_retry_s = 1\n"
        )

    def host(self, name: str, *domains: str, extra: str = "", top: str = "") -> Daemon:
        """A running mailtwist with these domains; `top` goes before all sections."""
        daemon = Daemon(
            self.configuration() + self.extra + extra,
            top,
            hostname=name,
            domains=domains,
            address=self.address(name, *domains),
            smtp_port=self.port,
        )
        self._hosts.append(daemon)
        self.at_end(daemon.remove)
        daemon.start()
        return daemon

    def peer(self, script: Script, *domains: str) -> SmtpPeer:
        """A scripted host that is the MX of `domains`."""
        self._peers += 1
        name = f"peer{self._peers}.test"
        address = self.address(name, *domains)
        peer = SmtpPeer(name, address, self.port, script)
        self.at_end(peer.stop)
        return peer

    def logs(self) -> str:
        return "".join(daemon.log.read_text() for daemon in self._hosts)

    def remove(self) -> None:
        while self._ends:
            self._ends.pop()()
        shutil.rmtree(self.folder, ignore_errors=True)


class WorldTestCase(SynchronousTestCase):
    """Tests in one world for each class; it ends with the test run.

    A traceback in a host's log fails the test during which it was written.
    """

    kind: type[World] = World
    extra, relay = "", ""
    timeout = 300
    _worlds: dict[type, World] = {}
    _users = 0

    def setUp(self) -> None:
        kind = type(self)
        if kind not in self._worlds:
            world = self.kind(self.extra, self.relay)
            atexit.register(world.remove)
            world.start()
            self._worlds[kind] = world
        self.world = self._worlds[kind]
        self._told = len(self.world.logs())

    def tearDown(self) -> None:
        self.assertNotIn("Traceback", self.world.logs()[self._told :])

    def user(self, daemon: Daemon, *options: str, domain: str = "") -> str:
        """A new account on a host; its login name, password PASSWORD."""
        WorldTestCase._users += 1
        name = f"user{self._users}@{domain or daemon.domains[0]}"
        return daemon.add_user(name, *options)

    def send(
        self, daemon: Daemon, sender: str, *recipients: str, **fields: Any
    ) -> None:
        """Mail by a user of `daemon`, submitted there."""
        with smtplib.SMTP(daemon.address, daemon.port("submission")) as client:
            self.log_in(client, sender)
            octets = message(sender=sender, to=", ".join(recipients), **fields)
            client.sendmail(sender, list(recipients), octets)

    def log_in(self, client: smtplib.SMTP, user: str) -> None:
        client.starttls(context=ways_in.OPEN)
        client.login(user, PASSWORD)

    def count(self, daemon: Daemon, user: str) -> int:
        """Messages a user has now."""
        return len(ways_in.messages(daemon, user))

    def arrived(self, daemon: Daemon, user: str, count: int = 1) -> list[bytes]:
        """The messages of a user, once there are so many, read over POP3."""

        def enough() -> list[bytes]:
            got = ways_in.messages(daemon, user)
            return got if len(got) >= count else []

        got = until(enough, self.world.logs)
        self.assertEqual(len(got), count)
        return list(got)
