"""Worker processes: started, watched, replaced."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from ..errors import ConfigError
from ..store.agent.start import ROOT
from .bus import MOST_OCTETS, End
from .handing import BUS, FIRST_SOCKET, MEMORY, SHARED, Handed, sealed

log = Logger("mailtwist")

PROGRAM = "mailtwist.service.worker"
ANSWER_S = 3.0  # for a worker to tell what it does
NOT_THEIRS = (
    *("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"),
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
)


class StartFailed(Exception):
    """A worker that ended, or was ended, before it served."""


class Worker(ProcessProtocol):
    """One process.

    `ready` fires when it takes connections, and fails with StartFailed if it never
    does; `ended` when it is gone."""

    def __init__(self, reactor: Any, number: int) -> None:
        self._reactor, self.number = reactor, number
        self.line = End()
        self.line.hear("ready", self._is_ready)
        self.line.hear("failed", self._has_failed)
        self.line.hear("log", self._said)
        self.line.hear("answer", self._answered)
        self._questions: dict[int, Deferred[Any]] = {}
        self._numbers = count(1)
        self.ready: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.serves = self.leaving = False
        self.alive = True
        self.why = ""  # it did not start
        self.started_s, self.heard_s = reactor.seconds(), reactor.seconds()
        self._process: Any = None
        self._socket: socket.socket | None = None
        self._late: Any = None

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def start(self, handed: Handed, shared: int, sockets: Sequence[int]) -> None:
        """It may be called before the reactor runs.  Raises OSError."""
        ours, theirs = socket.socketpair()
        null = os.open(os.devnull, os.O_RDWR)
        memory = -1
        try:
            memory = sealed(handed)
            given = {FIRST_SOCKET + at: one for at, one in enumerate(sockets)}
            self._process = self._reactor.spawnProcess(
                self,
                sys.executable,
                [sys.executable, "-s", "-m", PROGRAM],
                env=environment(os.environ),
                childFDs={0: null, 1: 1, 2: 2, BUS: theirs.fileno()}
                | {MEMORY: memory, SHARED: shared}
                | given,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(null)
            if memory >= 0:
                os.close(memory)
        self._socket = ours

    def wait(self, most_s: float) -> None:
        """Until it is ready, while the reactor does not run.  Raises ConfigError with
        what it says, or that it says nothing."""
        ours, until_s = self._socket, time.monotonic() + most_s
        while ours is not None and not self.serves:
            line = received(ours, until_s)
            if line is None:
                if self._process.pid:
                    with suppress(OSError):
                        os.kill(self.pid, signal.SIGKILL)
                raise ConfigError(self.why or "a worker did not start")
            self.line.stringReceived(line)

    def listen(self) -> None:
        """Hear it by the reactor."""
        ours, self._socket = self._socket, None
        if ours is None:
            return
        factory = Factory.forProtocol(lambda: self.line)
        factory.noisy = False
        with ours:
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)

    async def state(self) -> dict[str, Any]:
        """What it is and does; less of one that does not answer in time."""
        state = "leaving" if self.leaving else "serving" if self.serves else "starting"
        mine = {"number": self.number, "pid": self.pid, "state": state}
        told: dict[str, Any] = {}
        number = next(self._numbers)
        answer = self._questions[number] = Deferred()
        answer.addTimeout(ANSWER_S, self._reactor)
        try:
            if self.line.say("ask", number):
                told = dict(await answer)
        except (TimeoutError, TypeError, ValueError):
            mine["state"] = "silent"
        finally:
            del self._questions[number]
        return told | mine

    def _answered(self, number: int, told: dict[str, Any]) -> None:
        answer = self._questions.get(number)
        if answer is not None and not answer.called:
            answer.callback(told)

    def leave(self, most_s: float) -> None:
        """Let it end what it does, and no longer than that."""
        if self.leaving or not self.alive:
            return
        self.leaving = True
        if not self.serves or not self.line.say("end"):
            self.kill(signal.SIGTERM)  # which ends one that only begins at once
        self._late = self._reactor.callLater(most_s, self.kill)

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.alive and self._process.pid:
            with suppress(OSError):
                os.kill(self._process.pid, number)

    # -- what it says -----------------------------------------------------------------

    def _is_ready(self) -> None:
        self.serves = True
        if not self.ready.called:
            self.ready.callback(None)

    def _has_failed(self, why: str) -> None:
        self.why = why

    def _said(self, level: str, text: str) -> None:
        log.emit(LogLevel.lookupByName(level), "{text}", text=text)

    def processEnded(self, reason: Failure) -> None:
        self.alive = False
        if self._late is not None and self._late.active():
            self._late.cancel()
        self.why = self.why or how(reason)
        self.line.close()
        self.ended.callback(None)
        if not self.ready.called:
            self.ready.errback(StartFailed(self.why))
            self.ready.addErrback(lambda failure: None)


def how(reason: Failure) -> str:
    """An end in words."""
    number = getattr(reason.value, "signal", None)
    if number is not None:
        return f"ended by signal {number}"
    return f"ended with status {getattr(reason.value, 'exitCode', None)}"


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a worker finds: our program first, and nothing that was for us alone."""
    kept = {name: value for name, value in ours.items() if name not in NOT_THEIRS}
    before = [path for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]
    if ROOT not in before:
        before.insert(0, ROOT)
    return {**kept, "PYTHONPATH": os.pathsep.join(before), "PYTHONSAFEPATH": "1"}


def received(sock: socket.socket, until_s: float) -> bytes | None:
    """A line of the bus; None at the end, or if there is none by `until_s` of the
    monotonic clock."""

    def octets(count: int) -> bytes | None:
        found = b""
        while len(found) < count:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not select.select([sock], [], [], left_s)[0]:
                return None
            piece = sock.recv(count - len(found))
            if not piece:
                return None
            found += piece
        return found

    head = octets(4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    return octets(length) if length <= MOST_OCTETS else None
