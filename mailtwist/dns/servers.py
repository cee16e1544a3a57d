"""Which resolvers are asked: those configured, or resolv.conf as it is now."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.logger import Logger

from ..host_port import address_port, is_address

log = Logger()

PORT = 53
LOOK_S = 1.0  # between two looks at the file
MOST_OCTETS = 64 * 1024
NOBODY_NAMED = (("127.0.0.1", PORT),)  # what resolv.conf(5) says of an empty file

Server = tuple[str, int]


class Servers:
    """The resolvers in order; resolv.conf is read again when it changed."""

    def __init__(
        self, configured: Sequence[str], *, reactor: Any, path: str = "/etc/resolv.conf"
    ) -> None:
        """Raises ValueError for one that is no address."""
        self._configured = tuple(address_port(text, PORT) for text in configured)
        self._reactor, self._path = reactor, path
        self._read: tuple[Server, ...] = NOBODY_NAMED
        self._stamp: object = None
        self._look_at = float("-inf")

    def now(self) -> tuple[Server, ...]:
        """(address, port) of each, never none."""
        if self._configured:
            return self._configured
        now = self._reactor.seconds()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look()
        return self._read

    def _look(self) -> None:
        """A file that cannot be read leaves what was known."""
        try:
            seen = os.stat(self._path)
            stamp = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
            if stamp == self._stamp:
                return
            with open(self._path, "rb") as file:
                octets = file.read(MOST_OCTETS)
        except OSError as fault:
            if self._stamp is not fault.errno:  # told once
                log.warn("no list of resolvers: {fault}", fault=fault)
            self._stamp = fault.errno
            return
        self._stamp = stamp
        self._read = nameservers(octets.decode("latin-1")) or NOBODY_NAMED


def nameservers(text: str) -> tuple[Server, ...]:
    """The `nameserver` lines of a resolv.conf(5); what is no address is left out."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and is_address(words[1]):
            found.append((words[1], PORT))
    return tuple(found)
