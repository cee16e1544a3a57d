"""The queue and every way out of it, from the configuration."""

from __future__ import annotations

import base64
import fcntl
import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..config.model import Config
from ..errors import ConfigError
from ..interfaces import IDelivery, IRouter, ITransport
from ..queue.bounce import Reporter
from ..queue.ends import DiscardTransport, DoneTransport, ErrorTransport
from ..queue.lines_only import LinesOnly
from ..queue.mailbox import MailboxTransport
from ..queue.manager import Manager
from ..queue.pickup import Pickup
from ..queue.spool.disk import DiskSpool
from ..smtp.convert import lines_only

log = Logger("mailtwist")

FOLDER = "queue"  # in the data folder
LOCK = "lock"  # in that


def build_spool(reactor: Any, config: Config) -> DiskSpool:
    """The spool in the data folder; nothing is opened yet."""
    folder = os.path.join(config.server.data, FOLDER)
    return DiskSpool(reactor, folder, config.queue)


def local_transports(router: IRouter, local: IDelivery) -> dict[str, ITransport]:
    """The ways out that end on this host, by `Route.transport`."""
    return {
        "mailbox": MailboxTransport(router, local),
        "error": ErrorTransport(),
        "discard": DiscardTransport(),
        "done": DoneTransport(),
    }


def reading_lines(
    reactor: Any, transports: Mapping[str, ITransport]
) -> dict[str, ITransport]:
    """The same ways out, with mailboxes, files and commands given lines only."""
    readers = {
        name: LinesOnly(transports[name], partial(lines_only, reactor))
        for name in ("mailbox", "file", "pipe")
    }
    return {**transports, **readers}


def new_id() -> str:
    """A message id that no message had or has."""
    return base64.b32encode(os.urandom(10))[:14].decode().lower()


class QueueService(Service):
    """Opens the spool, then runs the manager; started before any listener."""

    def __init__(
        self,
        reactor: Any,
        config: Config,
        hostname: str,
        spool: DiskSpool,
        router: IRouter,
        transports: Mapping[str, ITransport],
    ) -> None:
        self.setName("queue")
        self._grace_s = config.limits.stop_grace_s
        self.spool = spool
        clock = EpochClock(reactor)
        self.manager = Manager(
            clock=clock,
            spool=spool,
            transports=transports,
            reporter=Reporter(hostname, router, new_id=new_id, now=clock.seconds),
            config=config.queue,
        )
        spool.arrived = self.manager.arrived
        self._pickup = None
        if config.queue.drop:
            self._pickup = Pickup(
                clock,
                config.queue.drop,
                spool,
                router,
                hostname=hostname,
                most_octets=config.smtp.message_octets,
            )
        self._opening: Deferred[None] | None = None
        self._lock: int | None = None

    def startService(self) -> None:
        """Raises ConfigError if the folder cannot be had."""
        super().startService()
        try:
            opening = self.spool.start()
            self._lock = locked(self.spool.folder)
        except OSError as fault:
            raise ConfigError(
                f"{self.spool.folder}: cannot be used: {fault.strerror}"
            ) from fault
        self._opening = Deferred.fromCoroutine(self._open(opening))
        self._opening.addErrback(lambda fault: log.failure("opening the queue", fault))

    async def _open(self, opening: Deferred[None]) -> None:
        await opening
        if self._pickup is not None:
            await self._pickup.start()
        self.manager.start()

    def stopService(self) -> Deferred[None]:
        """Attempts may end; mail that comes meanwhile is still taken."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._opening is not None:
            await self._opening
        if self._pickup is not None:
            await self._pickup.stop()
        await self.manager.stop(self._grace_s)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def locked(folder: str) -> int:
    """A descriptor that holds the lock of a queue, so that no two servers run it and
    send its mail twice; raises ConfigError if another has it, OSError."""
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
    descriptor = os.open(os.path.join(folder, LOCK), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        os.close(descriptor)
        raise ConfigError(f"{folder}: another server runs this queue") from fault
    return descriptor


class EpochClock:
    """The reactor's timers, with seconds of the epoch."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def seconds(self) -> float:
        return time.time()

    def callLater(self, delay_s: float, call: Any, *arguments: Any) -> Any:
        return self._reactor.callLater(delay_s, call, *arguments)
