"""A worker: `python -m mailtwist.service.worker`, started by the master.

It is the whole server on sockets that were bound before, and gives root up as a server
that is alone does.  It ends when the master is gone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, LogLevel, globalLogBeginner
from zope.interface import implementer

from ..config.model import Config
from ..errors import ConfigError
from ..log import setup
from .build import MailService, build
from .bus import Bus
from .handing import BUS, FIRST_SOCKET, MEMORY, SHARED, Handed, taken
from .memory import Memory
from .place import Place
from .privileges import acting_as


@implementer(ILogObserver)
class TellingObserver:
    """The master writes our lines."""

    def __init__(self, bus: Bus, level: LogLevel) -> None:
        self._bus, self._level = bus, level

    def __call__(self, event: dict[str, Any]) -> None:
        level = event["log_level"]
        if level >= self._level:
            self._bus.say("log", level.name, setup.text_of(event))


def main() -> int:
    for descriptor in (BUS, MEMORY, SHARED):
        os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the master's word counts
    from twisted.internet import reactor

    handed, bus = taken(MEMORY), Bus()
    factory = Factory.forProtocol(lambda: bus)
    factory.noisy = False
    reactor.adoptStreamConnection(BUS, socket.AF_UNIX, factory)  # type: ignore
    try:
        config = handed.config()
        begin_log(config, handed, bus)
        service = build(
            config, reactor=reactor, embedded=False, place=place_of(handed, bus)
        )
        service.privilegedStartService()
        service.startService()
    except ConfigError as fault:
        line = json.dumps(["failed", str(fault)]).encode()
        os.write(BUS, struct.pack(">I", len(line)) + line)
        return 1
    Serving(reactor, service, bus).run()
    return 0


def begin_log(config: Config, handed: Handed, bus: Bus) -> None:
    """Raises ConfigError."""
    observer: ILogObserver
    if handed.tells_log:
        observer = TellingObserver(bus, LogLevel.lookupByName(config.log.level))
    else:
        with acting_as(config.process):
            observer = setup.observer(config.log)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


def place_of(handed: Handed, bus: Bus) -> Place:
    sockets = range(FIRST_SOCKET, FIRST_SOCKET + handed.sockets)
    for descriptor in sockets:
        os.set_inheritable(descriptor, False)
    return Place(
        alone=False,
        first=handed.first,
        number=handed.number,
        sockets=sockets,
        bus=bus,
        memory=Memory(SHARED, handed.region),
    )


class Serving:
    """A service that was started, until the master or a signal ends it."""

    def __init__(self, reactor: Any, service: MailService, bus: Bus) -> None:
        self._reactor, self._service, self._bus = reactor, service, bus
        bus.lost = self._end
        bus.hear("end", self._end)
        bus.hear("ping", lambda number: bus.say("pong", number))
        bus.hear("ask", self._asked)

    def run(self) -> None:
        """Until it has ended."""
        reactor = self._reactor
        os.close(BUS)
        reactor.addSystemEventTrigger("before", "shutdown", self._service.stopService)
        reactor.callWhenRunning(self._bus.say, "ready")
        reactor.run()

    def _end(self) -> None:
        with suppress(ReactorNotRunning):
            self._reactor.stop()

    def _asked(self, number: int) -> None:
        self._bus.say("answer", number, self._service.state())


if __name__ == "__main__":
    sys.exit(main())
