"""What systemd wants to hear of a service (sd_notify(3)); nothing where there is none.

Type=notify-reload   READY=1 when clients are served, RELOADING=1, STOPPING=1
WatchdogSec=...      WATCHDOG=1, twice in that time, while the reactor runs
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

log = Logger("mailtwist")


class Notifier(Service):
    """The last part of a server to start: all others serve when it does."""

    def __init__(self, reactor: Any, environment: Mapping[str, str]) -> None:
        self.setName("notify")
        self._reactor = reactor
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_s = watchdog_s(environment, os.getpid())
        self._ticks = LoopingCall(self.tell, "WATCHDOG=1")
        self._ticks.clock = reactor

    def startService(self) -> None:
        super().startService()
        self._reactor.callWhenRunning(self.ready)
        if self._address and self._watchdog_s:
            self._ticks.start(self._watchdog_s / 2, now=False)

    def stopService(self) -> None:
        super().stopService()
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
        """Without a wait; a manager that takes nothing now is told nothing."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto("\n".join(lines).encode(), address)
        except OSError as fault:
            log.warn("NOTIFY_SOCKET: {fault}", fault=fault.strerror)


def watchdog_s(environment: Mapping[str, str], pid: int) -> float:
    """How often the manager wants to hear from this process; 0.0 for never."""
    try:
        if int(environment.get("WATCHDOG_PID", pid)) != pid:
            return 0.0
        return int(environment.get("WATCHDOG_USEC", 0)) / 1e6
    except ValueError:
        return 0.0
