"""One command that makes text of octets, in bounds: time, memory, processes, output."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol

PROGRAM = str(Path(__file__).with_name("confined.py"))
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
COMPLAINT_OCTETS = 200
LINGER_S = 1.0  # a process that left the group may hold the pipes for so long


@frozen
class Bounds:
    """`timeout_s` for all of it; processor time and memory for each process."""

    timeout_s: float
    cpu_s: int
    memory_octets: int
    output_octets: int


@frozen
class Made:
    """`fault` says why there is no more output, empty if the command ended well;
    `late` if it was killed for its time."""

    output: bytes
    fault: str = ""
    late: bool = False


class Command(ProcessProtocol):
    """Runs once, with the octets on its input; `ended` has Made and no failure.

    The input is a file, for programs that have to move about in it: `/dev/stdin`."""

    transport: Any  # Twisted's Process

    def __init__(self, reactor: Any, bounds: Bounds) -> None:
        self._reactor, self._bounds = reactor, bounds
        self.ended: Deferred[Made] = Deferred()
        self._output, self._complaint = bytearray(), bytearray()
        self._why = ""
        self._full = self._late = False
        self._group = 0
        self._timer: Any = None
        self._linger: Any = None

    def start(self, words: Sequence[str], octets: bytes) -> None:
        limits = [str(self._bounds.cpu_s), str(self._bounds.memory_octets)]
        started = [sys.executable, "-I", "-S", PROGRAM, *limits, *words]
        try:
            with open(os.memfd_create("part", os.MFD_CLOEXEC), "wb") as file:
                file.write(octets)
                file.seek(0)
                self._reactor.spawnProcess(
                    self,
                    sys.executable,
                    [os.fsencode(word) for word in started],
                    env=ENVIRONMENT,
                    path="/",
                    childFDs={0: file.fileno(), 1: "r", 2: "r"},
                )
        except OSError as fault:
            self._settle(f"it cannot be run: {fault.strerror}")

    def connectionMade(self) -> None:
        self._group = self.transport.pid
        self._timer = self._reactor.callLater(self._bounds.timeout_s, self._too_late)

    def outReceived(self, data: bytes) -> None:
        self._output += data[: self._bounds.output_octets - len(self._output)]
        if len(self._output) >= self._bounds.output_octets and not self._full:
            self._full = True
            self._kill()

    def errReceived(self, data: bytes) -> None:
        self._complaint += data[: COMPLAINT_OCTETS - len(self._complaint)]

    def kill(self, why: str) -> None:
        self._why = self._why or why
        self._kill()

    def _too_late(self) -> None:
        self._late = True
        self.kill(f"it took longer than {self._bounds.timeout_s:g} s")

    def _kill(self) -> None:
        pid = self.transport.pid if self.transport is not None else None
        if pid:  # not yet waited for, so the number is its own
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _kill_group(pid)

    def processExited(self, reason: Any) -> None:
        """What it left running has nothing more to say."""
        _kill_group(self._group)
        if not self._full and not self._why and not reason.check(ProcessDone):
            self._why = self._told(reason.value)
        self._linger = self._reactor.callLater(LINGER_S, self._let_go)

    def _let_go(self) -> None:
        self.transport.loseConnection()
        self._settle(self._why)

    def processEnded(self, reason: Any) -> None:
        self._settle(self._why)

    def _told(self, value: Any) -> str:
        if value.signal is not None:
            return f"it was ended by signal {value.signal}"
        said = " ".join(self._complaint.decode(errors="replace").split())
        return f"it ended with status {value.exitCode}" + (f": {said}" if said else "")

    def _settle(self, why: str) -> None:
        for timer in (self._timer, self._linger):
            if timer is not None and timer.active():
                timer.cancel()
        if not self.ended.called:
            self.ended.callback(Made(bytes(self._output), why, self._late))


def _kill_group(group: int) -> None:
    """The group has the number of its first process, and keeps it from others until
    the last of it has ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
