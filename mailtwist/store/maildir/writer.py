"""One thread makes the files of all deliveries durable, together (group commit).

The thread takes everything that waits, so the batch grows with the load by itself, and
answers a whole batch with one call into the reactor.  What a batch does is in `batch`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ...directory.model import Account
from ...errors import MailError, SystemBusy
from . import batch, stale
from .batch import Job
from .batch import NewFile as NewFile
from .filesystem import FileSystems
from .ledger import Crossing
from .spool import Spool

log = Logger()

Outcome = MailError | None

MOST_BATCH = 128  # files; each may need a descriptor of its folder meanwhile
MOST_WAITING = 20_000  # files; more are told to come back
MOST_WAITING_OCTETS = 512 * 1024 * 1024


@define(eq=False)
class _Request:
    """One call of `commit`."""

    jobs: list[Job]
    done: Deferred[list[Outcome]]
    octets: int
    left: int  # jobs the thread has not finished
    spools: set[Spool]  # kept as they are until the answer, whoever gives up waiting


class MaildirWriter:
    """Group commit for every caller of the process."""

    def __init__(
        self,
        reactor: Any,
        sync: str = "auto",
        crossed: Callable[[Account, list[Crossing]], None] = lambda *_: None,
    ) -> None:
        """`sync` as config.model.Delivery.sync; the thread starts at first use.

        `crossed` is told of the accounts in which a threshold was passed."""
        self._crossed = crossed
        self._reactor = reactor
        self._systems = FileSystems(sync)
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._files = self._octets = 0  # in the queue
        self._staging = 0  # commits whose large files are being copied
        self._thread: Thread | None = None
        self._closed: Deferred[None] | None = None
        self._stale = stale.Cleaner()

    def commit(self, files: Sequence[NewFile]) -> Deferred[list[Outcome]]:
        """One outcome for each file when all are durable; None is durable.

        A file that fails leaves nothing behind and does not hurt its neighbours.  Too
        much waiting is SystemBusy.  Cancelling abandons the wait, not the files.
        """
        octets = sum([_memory_octets(file) for file in files])
        if (
            self._closed is not None
            or self._files + len(files) > MOST_WAITING
            or (self._files and self._octets + octets > MOST_WAITING_OCTETS)
        ):
            return _answered([SystemBusy() for _ in files])
        spools = {f.content for f in files if isinstance(f.content, Spool)}
        if not files or any(spool.aborted for spool in spools):
            return _answered([MailError() for _ in files])
        jobs = [Job(file, file.draft) for file in files]
        request = _Request(jobs, Deferred(), octets, len(jobs), spools)
        self._files += len(jobs)
        self._octets += octets
        for spool in spools:
            spool.hold()
        large = [spool for spool in spools if not spool.in_memory]
        if large:
            self._stage(request, large)
        else:
            self._enqueue(request)
        return request.done

    def close(self) -> Deferred[None]:
        """Fires when everything that waits is written and the thread has ended."""
        if self._closed is None:
            self._closed = Deferred()
            if not self._staging:
                self._end()
        waiter: Deferred[None] = Deferred()
        self._closed.addCallback(lambda _: waiter.callback(None))
        return waiter

    def _end(self) -> None:
        if self._thread is None:
            self._systems.close()
            self._ended()
        else:
            self._queue.put(None)

    def _ended(self) -> None:
        if self._thread is not None:
            self._thread.join()
        if self._closed is not None:
            self._closed.callback(None)

    def _enqueue(self, request: _Request) -> None:
        if self._thread is None:
            self._thread = Thread(
                target=self._run, name="mailtwist-writer", daemon=True
            )
            self._thread.start()
        self._queue.put(request)

    def _answer(self, requests: list[_Request]) -> None:
        for request in requests:
            jobs = request.jobs
            self._files -= len(jobs)
            self._octets -= request.octets
            for job in jobs:
                if job.cause is not None:
                    log.error(
                        "{path} cannot be written: {cause}",
                        path=job.file.draft,
                        cause=job.cause,
                    )
            for spool in request.spools:
                spool.release()
            request.done.callback([job.fault for job in jobs])

    # -- large files: copied and synced in the spooler's threads first -----------------

    def _stage(self, request: _Request, spools: list[Spool]) -> None:
        self._staging += 1
        left = len(spools)

        def staged(_: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                self._staging -= 1
                self._enqueue(request)
                if self._closed is not None and not self._staging:
                    self._end()

        for spool in spools:
            jobs = [job for job in request.jobs if job.file.content is spool]
            staging = spool.owner.defer(batch.stage, jobs)
            staging.addErrback(_broken, jobs).addCallback(staged)

    # -- in the thread -----------------------------------------------------------------

    def _run(self) -> None:
        waiting: deque[tuple[_Request, Job]] = deque()
        closing = False
        while waiting or not closing:
            if not waiting:
                request = self._next()
                closing = closing or request is None
                _take(request, waiting)
            while len(waiting) < MOST_BATCH and not self._queue.empty():
                request = self._queue.get()
                closing = closing or request is None
                _take(request, waiting)
            count = min(len(waiting), MOST_BATCH)
            if not count:
                continue
            some = [waiting.popleft() for _ in range(count)]
            self._commit([job for _, job in some if job.fault is None])
            finished = []
            for request, _ in some:
                request.left -= 1
                if not request.left:
                    finished.append(request)
            if finished:
                self._reactor.callFromThread(self._answer, finished)
        self._systems.close()
        self._reactor.callFromThread(self._ended)

    def _next(self) -> _Request | None:
        """What waits; old drafts are removed while nothing does."""
        while self._stale.due:
            try:
                return self._queue.get_nowait()
            except Empty:
                self._stale.clean_one()
        return self._queue.get()

    def _commit(self, jobs: list[Job]) -> None:
        try:
            crossings = batch.commit(jobs, self._systems, time.perf_counter)
            for account, each in crossings:
                self._reactor.callFromThread(self._crossed, account, each)
        except Exception as cause:  # a mistake of ours: nobody is told it is durable
            for job in jobs:
                job.fault, job.cause = job.fault or MailError(), cause
            log.failure("writing a batch")
        self._stale.seen({job.file.maildir for job in jobs}, time.time())


def _take(request: _Request | None, waiting: deque[tuple[_Request, Job]]) -> None:
    if request is not None:
        waiting.extend([(request, job) for job in request.jobs])


def _memory_octets(file: NewFile) -> int:
    content = file.content
    if isinstance(content, Spool):
        return content.octets if content.in_memory else 0
    return sum(map(len, content))


def _broken(failure: Any, jobs: list[Job]) -> None:
    """Staging broke in a way that is a mistake of ours."""
    log.failure("staging large files", failure=failure)
    for job in jobs:
        job.fault, job.staged = MailError(), True


def _answered(outcomes: list[Outcome]) -> Deferred[list[Outcome]]:
    done: Deferred[list[Outcome]] = Deferred()
    done.callback(outcomes)
    return done
