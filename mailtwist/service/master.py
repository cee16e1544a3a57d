"""The master: binds, starts workers and replaces those that end; reads no client.

    privilegedStartService: sockets are bound, the first worker starts on them alone
    startService: the others
    SIGHUP: the configuration is read again, and all workers are replaced, one by one

If it was started as root it stays root, as it must to do these things; workers give
root up before they read anything.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from ..config.load import loads
from ..config.model import Config
from ..config.process import AUTO
from ..errors import ConfigError, MailError
from . import memory
from .crew import StartFailed, Worker
from .handing import Handed
from .sockets import Bound
from .tally import Regions

log = Logger("mailtwist")

START_S = 60.0  # for a worker to be ready
LAST_S = 10.0  # for a worker to close what it has, behind the grace of its sessions
STEADY_S = 10.0  # one that served so long may be replaced at once
FIRST_PAUSE_S, MOST_PAUSE_S = 0.25, 30.0
PING_S, SILENT_S = 5.0, 60.0  # one that says nothing for so long is ended


def count_of(config: Config) -> int:
    """How many workers there are to be."""
    workers = config.process.workers
    if workers == AUTO:
        return len(os.sched_getaffinity(0))
    return int(workers)


class Master(Service):
    """`text` is what the configuration file `where` said; `tells_log` has workers give
    their log lines to us."""

    def __init__(
        self, reactor: Any, text: str, where: str, *, tells_log: bool = False
    ) -> None:
        self.setName("mailtwist")
        self._reactor, self._where, self._tells_log = reactor, where, tells_log
        self._text, self._config = text, loads(text.encode(), Path(where))
        self._bound = Bound(reactor)
        self._shared = memory.made()
        self._regions = Regions(self._shared)
        self._count = count_of(self._config)
        self.workers: dict[int, Worker] = {}  # that serve, or are to
        self._all: set[Worker] = set()  # that live
        self._fails: dict[int, int] = {}
        self._stopping = False
        self._since_s = time.time()
        self._rolling = self._again = False
        self._waiters: list[Deferred[None]] = []
        self._fault = ""  # of the last reload
        self.when_reloading: Callable[[], None] = lambda: None
        self.when_reloaded: Callable[[], None] = lambda: None
        self._pings = LoopingCall(self._ping)
        self._pings.clock = reactor

    # -- the start --------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Raises ConfigError if a server with this configuration cannot start."""
        self._bound.bind(self._config.listener)
        worker = self._begin(0, first=True)
        worker.wait(START_S + self._config.limits.stop_grace_s)
        worker.listen()

    def startService(self) -> None:
        super().startService()
        for number in range(1, self._count):
            self._replace(number)
        self._pings.start(PING_S, now=False)
        self._reactor.callWhenRunning(self._take_signals)
        log.info("{count} workers serve", count=self._count)

    def _take_signals(self) -> None:
        def hang_up(number: int, frame: object) -> None:
            self._reactor.callFromThread(self.reload)

        with suppress(ValueError):  # we are no main thread
            signal.signal(signal.SIGHUP, hang_up)

    # -- workers ----------------------------------------------------------------------

    def _begin(self, number: int, *, first: bool = False) -> Worker:
        """A process that will be worker `number`.  Raises OSError."""
        listeners, region = self._config.listener, self._regions.take()
        handed = Handed(
            text=self._text,
            where=self._where,
            number=number,
            first=first,
            sockets=len(listeners),
            region=region,
            tells_log=self._tells_log,
        )
        worker = Worker(self._reactor, number)
        worker.line.hear("tell", lambda *words: self._pass_on(worker, words))
        worker.line.hear("pong", lambda _: self._heard_of(worker))
        try:
            worker.start(handed, self._shared, self._bound.descriptors(listeners))
        except BaseException:
            self._regions.free(region)
            raise
        self._all.add(worker)
        worker.ended.addCallback(lambda _: self._regions.free(region))
        worker.ended.addCallback(lambda _: self._ended(worker))
        if number not in self.workers:
            self.workers[number] = worker
        return worker

    def _replace(self, number: int) -> None:
        """Have a worker of this number, sooner or later."""
        if self._stopping or number in self.workers or number >= self._count:
            return
        try:
            self._begin(number).listen()
        except OSError as fault:
            log.error("no worker {number}: {fault}", number=number, fault=fault)
            self._later(number)

    def _later(self, number: int) -> None:
        fails = self._fails[number] = self._fails.get(number, 0) + 1
        pause_s = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(fails - 1, 16))
        self._reactor.callLater(pause_s, self._replace, number)

    def _ended(self, worker: Worker) -> None:
        self._all.discard(worker)
        number = worker.number
        mine = self.workers.get(number) is worker
        if mine:
            del self.workers[number]
        if self._stopping or worker.leaving:
            return
        log.error("worker {number} {why}", number=number, why=worker.why)
        if not mine:
            return
        if self._reactor.seconds() - worker.started_s >= STEADY_S:
            self._fails.pop(number, None)
            self._replace(number)
        else:
            self._later(number)

    def _pass_on(self, teller: Worker, words: tuple[Any, ...]) -> None:
        """A hint for all others."""
        octets = json.dumps(["told", *words]).encode()
        for worker in self._all:
            if worker is not teller:
                worker.line.hint(octets)

    def _heard_of(self, worker: Worker) -> None:
        worker.heard_s = self._reactor.seconds()

    def _ping(self) -> None:
        now = self._reactor.seconds()
        for worker in list(self._all):
            if now - worker.heard_s > SILENT_S and not worker.leaving:
                log.error("worker {number} is stuck", number=worker.number)
                worker.kill()
            else:
                worker.line.say("ping", 0)

    async def state(self) -> dict[str, Any]:
        """What all processes do, for JSON."""
        asked = [
            Deferred.fromCoroutine(worker.state())
            for worker in sorted(self._all, key=lambda one: (one.number, one.started_s))
        ]
        told = await gatherResults(asked, consumeErrors=True)
        return {"pid": os.getpid(), "since_s": self._since_s, "workers": told}

    # -- replacing all ----------------------------------------------------------------

    def reload(self) -> Deferred[None]:
        """Read the configuration again and replace all workers, one by one; if it
        cannot be used all stays as it is.

        Fires when that is done; one reload runs at a time, and one more after it if it
        was asked for meanwhile."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        if self._rolling:
            self._again = True
        else:
            self._rolling = True
            reloading = Deferred.fromCoroutine(self._reload())
            reloading.addErrback(lambda f: log.failure("reloading", f))
            reloading.addCallback(self._rolled)
        return waiter

    def _rolled(self, _: object) -> None:
        self._rolling = False
        if self._again and not self._stopping:
            self._again = False
            self.reload()
            return
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    async def reloaded(self) -> str:
        """As `reload`, in a word; raises MailError if all stays as it was."""
        self._fault = ""
        await self.reload()
        if self._fault:
            raise MailError(self._fault)
        return f"{len(self.workers)} workers were replaced"

    async def _reload(self) -> None:
        self.when_reloading()
        try:
            await self._reload_now()
        finally:
            self.when_reloaded()

    async def _reload_now(self) -> None:
        before = self._text, self._config, self._count
        try:
            text = Path(self._where).read_text()
            config = loads(text.encode(), Path(self._where))
            for what in ("server.data", "process.user", "process.group"):
                section, _, name = what.partition(".")
                old = getattr(getattr(before[1], section), name)
                if getattr(getattr(config, section), name) != old:
                    raise ConfigError(f"{what} cannot change while the server runs")
            self._bound.bind(config.listener)
        except (ConfigError, OSError, ValueError) as fault:
            self._stays(fault)
            return
        self._text, self._config = text, config
        self._count = count_of(config)
        log.info("replacing {count} workers", count=len(self.workers))
        try:
            for number in range(max(before[2], self._count)):
                await self._roll(number)
        except StartFailed as fault:
            self._text, self._config, self._count = before
            self._stays(fault)
            # Those that have the new one already are replaced once more.
            for number in range(self._count):
                with suppress(StartFailed):
                    await self._roll(number)
        self._bound.keep(self._config.listener)
        log.info("workers are replaced")

    def _stays(self, fault: Exception) -> None:
        self._fault = f"the configuration stays as it was: {fault}"
        log.error("{why}", why=self._fault)

    async def _roll(self, number: int) -> None:
        """A new worker takes connections before the old one stops.

        Raises StartFailed, and the old one stays."""
        if self._stopping:
            return
        new: Worker | None = None
        if number < self._count:
            new = self._begin(number)
            new.listen()
            late = self._reactor.callLater(START_S, new.kill)
            started: Deferred[None] = Deferred()
            new.ready.addBoth(lambda _: started.callback(None))
            await started
            if late.active():
                late.cancel()
            if not new.serves:
                raise StartFailed(new.why)
            self.workers[number] = new
        else:
            self.workers.pop(number, None)
        olds = [one for one in self._all if one.number == number and one is not new]
        for old in olds:
            old.leave(self._most_s)
        for old in olds:
            await gone(old)

    @property
    def _most_s(self) -> float:
        return self._config.limits.stop_grace_s + LAST_S

    # -- the end ----------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """Workers end what they do, within their grace."""
        super().stopService()
        self._stopping = True
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._pings.running:
            self._pings.stop()
        for worker in list(self._all):
            worker.leave(self._most_s)
        self._bound.keep(())
        for worker in list(self._all):
            await gone(worker)
        await deferLater(self._reactor, 0)


def gone(worker: Worker) -> Deferred[None]:
    """Fires when it has ended."""
    done: Deferred[None] = Deferred()
    worker.ended.addCallback(lambda _: done.callback(None))
    return done
