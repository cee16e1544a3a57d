"""Starts the keeper's process and puts what it says into the log."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import SourceDown
from .client import Keeper
from .packets import DESCRIPTOR, packed, send

log = Logger("mailtwist")

PROGRAM = str(Path(__file__).with_name("__main__.py"))
MOST_CHECKS = 32  # passwords at once; each is a process for some milliseconds
STOP_S = 10.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


@frozen
class Settings:
    """What a keeper may do; nothing that it is asked later goes further.

    `agent` is the command of store agents, whose socket is descriptor 3, with `{uid}`
    and `{gid}` where they are to be put in, and `environment` what it finds beside
    HOME, USER and LOGNAME; `data` is where each gets its folder, if that is not empty.
    Agents have uids from `least_uid`, or one of `others`, and a group of that user or
    one of `groups`; those that ask for it get a process with `spool_gid` that makes
    their lock files in a spool.  Passwords are checked from `least_uid`, `checks` at
    once, by these PAM `services` (any if None).  `files` are absolute paths of what it
    opens, with the rights of whoever owns their folder.
    """

    least_uid: int = 1
    others: Sequence[int] = ()
    groups: Sequence[int] = ()
    spool_gid: int | None = None
    agent: Sequence[str] = ()
    environment: Mapping[str, str] = ENVIRONMENT
    data: str = ""
    services: Sequence[str] | None = None
    files: Sequence[str] = ()
    checks: int = MOST_CHECKS


class Running:
    """A keeper and its process."""

    def __init__(self, reactor: Any, keeper: Keeper, said: Said) -> None:
        self._reactor, self.keeper, self._said = reactor, keeper, said

    async def stop(self) -> None:
        """Let it go, and wait until it has ended; not for long."""
        self.keeper.close()
        if self._said.ended:
            return
        ended: Deferred[None] = Deferred()
        self._said.when_ended.append(
            lambda: None if ended.called else ended.callback(None)
        )
        ended.addTimeout(STOP_S, self._reactor)
        try:
            await ended
        except TimeoutError:
            log.error("the keeper does not end")


def start(reactor: Any, settings: Settings) -> Running:
    """A keeper with the rights that this process has now.

    It may be called before the reactor runs.  Raises OSError."""
    told = packed(asdict(settings))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    null = os.open(os.devnull, os.O_RDWR)
    said = Said()
    try:
        send(ours, told)
        reactor.spawnProcess(
            said,
            sys.executable,
            [sys.executable, "-I", PROGRAM],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            path="/",
            childFDs={0: null, 1: "r", 2: "r", DESCRIPTOR: theirs.fileno()},
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(null)
    return Running(reactor, Keeper(reactor, ours), said)


class Keepers:
    """The keeper of a server: the one that was started as root, or else one with the
    server's own rights, from when it is first needed."""

    def __init__(self, reactor: Any, settings: Settings) -> None:
        self._reactor, self._settings = reactor, settings
        self._running: Running | None = None
        self.privileged = False
        self._stopped = False

    def start_as_root(self, when_lost: Callable[[], None]) -> None:
        """While we are root.  `when_lost` is called if it ends before us: there is no
        way to another one then."""
        self._running, self.privileged = start(self._reactor, self._settings), True
        self._running.keeper.when_lost.append(when_lost)

    def keeper(self) -> Keeper:
        """Raises SourceDown."""
        running = self._running
        if running is None or (running.keeper.lost and not self.privileged):
            if self._stopped:
                raise SourceDown()
            try:
                running = self._running = start(self._reactor, self._settings)
            except OSError as fault:
                raise SourceDown() from fault
        return running.keeper

    async def stop(self) -> None:
        self._stopped = True
        if self._running is not None:
            await self._running.stop()


class Said(ProcessProtocol):
    """What the keeper writes is a fault of it, in whole lines."""

    def __init__(self) -> None:
        self._line = b""
        self.ended = False
        self.when_ended: list[Callable[[], None]] = []

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            log.error("keeper: {line}", line=line.decode(errors="replace")[:500])
        self._line = self._line[:500]

    def processEnded(self, reason: Failure) -> None:
        self.ended = True
        ends, self.when_ended = self.when_ended, []
        for end in ends:
            end()
