"""What systemd wants to hear of a service (sd_notify(3)); nothing where there is none.

Type=notify-reload   READY=1 when clients are served, RELOADING=1, STOPPING=1
WatchdogSec=...      WATCHDOG=1, twice in that time, while the reactor runs
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

log = Logger("mailtwist")

MOST_UNSENT = 16
AGAIN_S = 0.1


class Notifier(Service):
    """The last part of a server to start: all others serve when it does."""

    def __init__(self, reactor: Any, environment: Mapping[str, str]) -> None:
        self.setName("notify")
        self._reactor = reactor
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_s = watchdog_s(environment, os.getpid())
        self._unsent: deque[bytes] = deque(maxlen=MOST_UNSENT)
        self._later: Any = None
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = reactor

    def startService(self) -> None:
        super().startService()
        self._reactor.callWhenRunning(self.ready)
        if self._address and self._watchdog_s:
            self._ticks.start(self._watchdog_s / 2, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._later is not None and self._later.active():
            self._later.cancel()
        self.tell("STOPPING=1", "STATUS=Ending what is under way")
        if self._ticks.running:
            self._ticks.stop()

    def ready(self, status: str = "Serving") -> None:
        """From now on, or again after `reloading`."""
        if self.running:
            self.tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.tell("RELOADING=1", f"MONOTONIC_USEC={now_us}", "STATUS=Replacing workers")

    def tell(self, *lines: str) -> None:
        """In order; what a manager does not take yet waits, the newest lines."""
        if self._address:
            self._unsent.append("\n".join(lines).encode())
            self._send()

    def _tick(self) -> None:
        if not self._unsent:
            self.tell("WATCHDOG=1")

    def _send(self) -> None:
        if self._later is not None and self._later.active():
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                while self._unsent:
                    out.sendto(self._unsent[0], address)
                    self._unsent.popleft()
        except BlockingIOError:
            if self.running:
                self._later = self._reactor.callLater(AGAIN_S, self._send)
        except OSError as fault:
            self._unsent.clear()
            log.warn("NOTIFY_SOCKET: {fault}", fault=fault.strerror)


def watchdog_s(environment: Mapping[str, str], pid: int) -> float:
    """How often the manager wants to hear from this process; 0.0 for never."""
    try:
        if int(environment.get("WATCHDOG_PID", pid)) != pid:
            return 0.0
        return int(environment.get("WATCHDOG_USEC", 0)) / 1e6
    except ValueError:
        return 0.0
