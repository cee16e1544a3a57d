"""The queue and every way out of it, from the configuration."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..config.model import Config
from ..interfaces import IDelivery, IReporter, IRouter, ITransport
from ..queue.ends import DiscardTransport, DoneTransport, ErrorTransport
from ..queue.mailbox import MailboxTransport
from ..queue.manager import Manager
from ..queue.spool.disk import DiskSpool

log = Logger("mailtwist")

FOLDER = "queue"  # in the data folder


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


def new_id() -> str:
    """A message id that no message had or has."""
    return base64.b32encode(os.urandom(10))[:14].decode().lower()


class QueueService(Service):
    """Opens the spool, then runs the manager; started before any listener."""

    def __init__(
        self,
        reactor: Any,
        config: Config,
        spool: DiskSpool,
        transports: Mapping[str, ITransport],
        reporter: IReporter,
    ) -> None:
        self.setName("queue")
        self._grace_s = config.limits.stop_grace_s
        self.spool = spool
        self.manager = Manager(
            clock=EpochClock(reactor),
            spool=spool,
            transports=transports,
            reporter=reporter,
            config=config.queue,
        )
        spool.arrived = self.manager.arrived

    def startService(self) -> None:
        """Raises OSError if the folder cannot be had."""
        super().startService()
        opening = self.spool.start()
        opening.addErrback(lambda fault: log.failure("opening the queue", fault))
        self.manager.start()

    def stopService(self) -> Deferred[None]:
        """Attempts may end; mail that comes meanwhile is still taken."""
        super().stopService()
        return Deferred.fromCoroutine(self.manager.stop(self._grace_s))


class EpochClock:
    """The reactor's timers, with seconds of the epoch."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def seconds(self) -> float:
        return time.time()

    def callLater(self, delay_s: float, call: Any, *arguments: Any) -> Any:
        return self._reactor.callLater(delay_s, call, *arguments)
