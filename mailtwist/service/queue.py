"""The queue and every way out of it, from the configuration."""

from __future__ import annotations

import base64
import fcntl
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..config.model import Config
from ..errors import ConfigError
from ..interfaces import IContent, IDelivery, IRouter, ITransport
from ..queue.bounce import Reporter
from ..queue.ends import DiscardTransport, DoneTransport, ErrorTransport
from ..queue.lines_only import LinesOnly
from ..queue.mailbox import MailboxTransport
from ..queue.manager import Manager
from ..queue.model import QueuedMessage, QueuedRecipient
from ..queue.pickup import Pickup
from ..queue.spool.disk import DiskSpool
from ..smtp.convert import lines_only
from ..store.maildir.durable import make_directories
from .place import Place

log = Logger("mailtwist")

FOLDER = "queue"  # in the data folder
LOCK = "lock"  # in that
LOOK_S = 0.25  # how often a worker looks whether nobody runs the queue
AGAIN_S, LAST_S = 0.05, 5.0  # workers of a killed server need their grace and no more
MOST_TOLD = 1000  # messages in one hint


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
        for name in ("mailbox", "file", "pipe", "list")
    }
    return {**transports, **readers}


def new_id() -> str:
    """A message id that no message had or has."""
    return base64.b32encode(os.urandom(10))[:14].decode().lower()


class QueueService(Service):
    """Opens the spool, then runs the manager; started before any listener.

    Of several workers the one runs it that has the lock of its folder; if that one
    ends, another takes it.  `when_leading` is called when it is us.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        hostname: str,
        spool: DiskSpool,
        router: IRouter,
        transports: Mapping[str, ITransport],
        place: Place | None = None,
    ) -> None:
        self.setName("queue")
        self._reactor, self._place = reactor, place or Place()
        self._grace_s = config.limits.stop_grace_s
        self.when_leading: list[Callable[[], None]] = []
        self.leads = False
        self.spool = spool
        clock = EpochClock(reactor)
        self.manager = Manager(
            clock=clock,
            spool=spool,
            transports=transports,
            reporter=Reporter(hostname, router, new_id=new_id, now=clock.seconds),
            config=config.queue,
        )
        spool.arrived = self._arrived
        self._news: list[str] = []  # ids of messages that the others are to hear of
        self._place.bus.on("queued", self._heard)
        self._place.bus.on("flush", self._flush_here)
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
        place = self._place
        try:
            make_directories([self.spool.folder])
            if place.alone:
                self._lock = locked(self.spool.folder)
            elif place.first:  # of a server that was killed some may still be there
                self._lock = locked(self.spool.folder, self._grace_s + LAST_S)
            opening = self.spool.start(alone=place.first)
        except OSError as fault:
            raise ConfigError(
                f"{self.spool.folder}: cannot be used: {fault.strerror}"
            ) from fault
        self._opening = Deferred.fromCoroutine(self._open(opening))
        self._opening.addErrback(lambda fault: log.failure("opening the queue", fault))

    async def _open(self, opening: Deferred[None]) -> None:
        await opening
        while self._lock is None:
            if not self.running:
                return
            with suppress(ConfigError):
                self._lock = locked(self.spool.folder)
                break
            await deferLater(self._reactor, LOOK_S)
        if self._pickup is not None:
            await self._pickup.start()
        self.manager.start()
        self.leads = True
        if not self._place.alone:
            log.info("worker {number} runs the queue", number=self._place.number)
        for call in self.when_leading:
            call()

    # -- what comes in, here and elsewhere ----------------------------------------

    def _arrived(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        content: IContent,
    ) -> None:
        if self.leads or self._place.alone:
            self.manager.arrived(message, recipients, content)
            return
        if not self._news:
            self._reactor.callLater(0, self._tell)
        self._news.append(message.queue_id)

    def _tell(self) -> None:
        news, self._news = self._news, []
        for at in range(0, len(news), MOST_TOLD):
            self._place.bus.tell("queued", news[at : at + MOST_TOLD])

    def _heard(self, queue_ids: list[str]) -> None:
        if self.leads:
            heard = Deferred.fromCoroutine(self.manager.heard(queue_ids))
            heard.addErrback(lambda fault: log.failure("hearing of mail", fault))

    async def flush(self, domain: str = "") -> None:
        """See Manager, by whoever runs the queue."""
        if self.leads or self._place.alone:
            await self.manager.flush(domain)
            return
        await self.spool.hurry(time.time(), domain)
        self._place.bus.tell("flush", domain)

    def _flush_here(self, domain: str) -> None:
        if self.leads:
            flushing = Deferred.fromCoroutine(self.manager.flush(domain))
            flushing.addErrback(lambda fault: log.failure("flushing", fault))

    # -- the end ------------------------------------------------------------------

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
        self.leads = False
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def locked(folder: str, wait_s: float = 0.0) -> int:
    """A descriptor that holds the lock of a queue, so that no two servers run it and
    send its mail twice; raises ConfigError if another has it for `wait_s`, OSError."""
    until_s = time.monotonic() + wait_s
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
    descriptor = os.open(os.path.join(folder, LOCK), flags, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            if time.monotonic() < until_s:
                time.sleep(AGAIN_S)
                continue
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
