"""The keeper's loop: reads requests, has a child do each, passes its answer on.

A request is [number, kind, arguments], an answer [number, result] with the descriptor
that it gives.  The first packet is the settings: `least_uid`, `agent` (a command),
`files`, `checks` (at once, at most).
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from . import tasks
from .packets import DESCRIPTOR, BadPacket, packed, receive, send

KINDS = frozenset(("verify", "agent", "open"))
OTHERS_AT_ONCE = 16  # agents that start, files that are opened
MOST_WAITING = 1000  # requests of one kind
MOST_LIMIT_S = 120.0
LATE = {"fault": "no answer in time"}
IGNORED = (signal.SIGINT, signal.SIGTERM)  # they are the server's; we end after it


class Request:
    """One that waits or is done; it may hold a password, so no repr tells of it."""

    __slots__ = ("number", "kind", "arguments", "until_s")

    def __init__(
        self, number: int, kind: str, arguments: dict[str, Any], until_s: float
    ) -> None:
        self.number, self.kind, self.until_s = number, kind, until_s
        self.arguments = arguments


class Lane:
    """Requests that wait for each other and for nothing else."""

    def __init__(self, most: int) -> None:
        self.most, self.running = most, 0
        self.waiting: deque[Request] = deque()


class Child:
    """A process at work on a request."""

    __slots__ = ("pid", "request", "lane", "answer")

    def __init__(
        self, pid: int, request: Request, lane: Lane, answer: socket.socket
    ) -> None:
        self.pid, self.request, self.lane, self.answer = pid, request, lane, answer


class Server:
    """Until `asker` closes."""

    def __init__(self, asker: socket.socket, settings: dict[str, Any]) -> None:
        self._asker, self._settings = asker, settings
        self._checks = Lane(max(1, int(settings["checks"])))
        self._others = Lane(OTHERS_AT_ONCE)
        self._children: dict[int, Child] = {}  # by descriptor
        self._living: set[int] = set()  # pids that were not waited for
        self._pid = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._woken, self._wakes = socket.socketpair()

    def run(self) -> None:
        for end in (self._woken, self._wakes):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._asker, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        try:
            while True:
                self._turn()
        except (EOFError, ConnectionError):
            pass  # nobody is there any more
        finally:
            for child in self._children.values():
                self._kill(child.pid)

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._wait_s()):
            if key.fileobj is self._asker:
                self._asked()
            elif key.fileobj is self._woken:
                self._woken.recv(4096)
            else:
                self._answered(self._children[key.fd])
        self._reap()
        self._end_the_late()
        self._start_what_waits()

    # -- requests -------------------------------------------------------------

    def _asked(self) -> None:
        value, _ = receive(self._asker)
        number, kind, arguments = value
        limit_s = min(float(arguments.get("limit_s", MOST_LIMIT_S)), MOST_LIMIT_S)
        request = Request(number, kind, arguments, time.monotonic() + limit_s)
        lane = self._checks if kind == "verify" else self._others
        if kind not in KINDS:
            self._tell(request, {"fault": "an unknown request"})
        elif len(lane.waiting) >= MOST_WAITING:
            self._tell(request, {"busy": True})
        else:
            lane.waiting.append(request)

    def _lanes(self) -> tuple[Lane, Lane]:
        return self._checks, self._others

    def _tell(
        self, request: Request, result: dict[str, Any], descriptors: Sequence[int] = ()
    ) -> None:
        send(self._asker, packed([request.number, result]), descriptors)

    def _start_what_waits(self) -> None:
        for lane in self._lanes():
            while lane.waiting and lane.running < lane.most:
                request = lane.waiting.popleft()
                if request.until_s <= time.monotonic():
                    self._tell(request, LATE)
                else:
                    self._start(request, lane)

    def _start(self, request: Request, lane: Lane) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError as fault:
            ours.close()
            theirs.close()
            self._tell(request, {"fault": f"no process: {fault.strerror}"})
            return
        if pid == 0:
            self._be_child(request, theirs)
        theirs.close()
        lane.running += 1
        self._living.add(pid)
        self._children[ours.fileno()] = Child(pid, request, lane, ours)
        self._selector.register(ours, selectors.EVENT_READ)

    def _be_child(self, request: Request, answer: socket.socket) -> None:
        """Never returns."""
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, *IGNORED):
                signal.signal(number, signal.SIG_DFL)
            self._asker.close()
            tasks.end_with(self._pid)
            descriptors: list[int] = []
            if request.kind == "verify":
                result: dict[str, Any] = tasks.verify(self._settings, request.arguments)
            elif request.kind == "agent":
                result = tasks.agent(self._settings, request.arguments, answer)
            else:
                result, descriptors = tasks.open_file(self._settings, request.arguments)
            send(answer, packed(result), descriptors)
        except (
            BaseException
        ) as fault:  # of its words we say nothing: they may be secret
            told = f"the keeper could not {request.kind}: {type(fault).__name__}\n"
            os.write(2, told.encode())
        finally:
            os._exit(0)

    # -- answers --------------------------------------------------------------

    def _answered(self, child: Child) -> None:
        try:
            result, descriptors = receive(child.answer)
        except (EOFError, BadPacket, ConnectionError):
            result, descriptors = {"fault": f"{child.request.kind} gave no answer"}, []
        self._done(child, result, descriptors)

    def _done(
        self, child: Child, result: dict[str, Any], descriptors: list[int]
    ) -> None:
        self._selector.unregister(child.answer)
        del self._children[child.answer.fileno()]
        child.answer.close()
        child.lane.running -= 1
        try:
            self._tell(child.request, result, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    # -- time and the dead ----------------------------------------------------

    def _wait_s(self) -> float | None:
        ends = [child.request.until_s for child in self._children.values()]
        ends += [lane.waiting[0].until_s for lane in self._lanes() if lane.waiting]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _end_the_late(self) -> None:
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.request.until_s <= now:
                self._kill(child.pid)
                self._done(child, LATE, [])
        for lane in self._lanes():
            while lane.waiting and lane.waiting[0].until_s <= now:
                self._tell(lane.waiting.popleft(), LATE)

    def _kill(self, pid: int) -> None:
        """And what it started: PAM modules leave its session and its group."""
        if pid not in self._living:
            return
        for each in family(pid):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)

    def _reap(self) -> None:
        while self._living:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._living.discard(pid)


def family(pid: int) -> list[int]:
    """The process and those that come from it, parents first."""
    pids = [pid]
    for each in pids:
        with suppress(OSError), open(f"/proc/{each}/task/{each}/children") as children:
            pids += [int(child) for child in children.read().split()]
    return pids


def main() -> None:
    """The process: its socket is descriptor 3."""
    tasks.keep_memory_to_ourselves()
    os.umask(0o077)
    os.chdir("/")
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    asker = socket.socket(fileno=DESCRIPTOR)
    asker.set_inheritable(False)
    try:
        settings, _ = receive(asker)
    except EOFError:
        sys.exit(0)
    Server(asker, settings).run()
