"""Hosts with a network of their own: Linux network namespaces on one bridge.

    network = Network("a", "b")
    with network.inside("a"):          # sockets and programs of this thread
        daemon.start()
    network.remove()

Nothing outside of the namespaces is touched: the bridge is in one of its own, and what
is in a namespace goes with it.  Names have a random part, so worlds do not meet.
"""

from __future__ import annotations

import ctypes
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.programs import run

CLONE_NEWNET = 0x40000000
NETWORK = "10.99.0"
SWITCH = "switch"
_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """Hosts in one subnet, each in a namespace; `switch` has the bridge and an address
    too, for what serves them all."""

    def __init__(self, *hosts: str) -> None:
        self._prefix = f"mailtwist-{secrets.token_hex(4)}-"
        self.addresses: dict[str, str] = {}
        self._made: list[str] = []
        try:
            self._add(SWITCH)
            self._ip(SWITCH, "link", "add", "name", "bridge", "type", "bridge")
            self._address(SWITCH, "bridge")
            for host in hosts:
                self._add(host)
                self._cable(host)
        except BaseException:
            self.remove()
            raise

    def _namespace(self, host: str) -> str:
        return self._prefix + host

    def _ip(self, host: str, *arguments: str) -> None:
        run("ip", "-n", self._namespace(host), *arguments)

    def _add(self, host: str) -> None:
        run("ip", "netns", "add", self._namespace(host))
        self._made.append(host)
        self.addresses[host] = f"{NETWORK}.{len(self._made)}"
        self._ip(host, "link", "set", "dev", "lo", "up")

    def _address(self, host: str, link: str) -> None:
        self._ip(host, "address", "add", f"{self.addresses[host]}/24", "dev", link)
        self._ip(host, "link", "set", "dev", link, "up")

    def _cable(self, host: str) -> None:
        """A veth pair from the host to the bridge."""
        peer = ("peer", "name", "eth0", "netns", self._namespace(host))
        self._ip(SWITCH, "link", "add", "name", host, "type", "veth", *peer)
        self._ip(SWITCH, "link", "set", "dev", host, "master", "bridge", "up")
        self._address(host, "eth0")

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """What this thread opens or starts meanwhile is on that host; a socket stays
        where it was made."""
        there = Path("/run/netns", self._namespace(host))
        with Path("/proc/thread-self/ns/net").open() as here, there.open() as target:
            _enter(target.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def remove(self) -> None:
        """Every namespace with its links; processes in them must have ended."""
        while self._made:
            run("ip", "netns", "delete", self._namespace(self._made.pop()), ok=False)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
