"""The threads that speak with the database: one writes, one reads.

The writing thread takes everything that waits into one transaction (group commit), each
work in a savepoint of its own so that one that fails does not hurt its neighbours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar

from attrs import define
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import MailError, SystemBusy
from ...store.sqlite import fault_of, opened

log = Logger("mailtwist")

MOST_BATCH = 256
MOST_WAITING = 20_000

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]

PACKAGE, SCHEMA = "mailtwist.queue.spool", "schema"


def connect(path: str) -> sqlite3.Connection:
    """The queue's database, for use in any one thread; raises sqlite3.Error, OSError
    or ConfigError."""
    return opened(path, PACKAGE, SCHEMA, check_same_thread=False)


class Runner(Protocol):
    """Runs work on a connection."""

    def submit(self, work: Work[Result]) -> Deferred[Result]:
        """What `work` gives; raises MailError if the database cannot do it.

        Work that changes something is durable then."""

    def close(self) -> Deferred[None]:
        """Fires when all that was submitted is done."""


class Direct:
    """Does work at once, in the caller: for commands and tests."""

    def __init__(self, connection: sqlite3.Connection, *, writes: bool) -> None:
        self._connection, self._writes = connection, writes

    def submit(self, work: Work[Result]) -> Deferred[Result]:
        results = batch(self._connection, [work], self._writes)
        if isinstance(results[0], MailError):
            return fail(results[0])
        return succeed(results[0])

    def close(self) -> Deferred[None]:
        self._connection.close()
        return succeed(None)


@define(eq=False)
class _Request:
    work: Work[Any]
    done: Deferred[Any]


class SpoolThread:
    """A thread with a connection of its own, opened at first use."""

    def __init__(
        self,
        reactor: Any,
        path: str,
        *,
        writes: bool,
        connect: Callable[[str], sqlite3.Connection] = connect,
        name: str = "queue",
    ) -> None:
        self._reactor, self._path, self._writes = reactor, path, writes
        self._connect, self._name = connect, name
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._waiting = 0
        self._thread: Thread | None = None
        self._closed: Deferred[None] | None = None

    def submit(self, work: Work[Result]) -> Deferred[Result]:
        """See Runner; too much waiting is SystemBusy."""
        if self._closed is not None or self._waiting >= MOST_WAITING:
            return fail(SystemBusy())
        if self._thread is None:
            name = f"mailtwist-{self._name}-{'writer' if self._writes else 'reader'}"
            self._thread = Thread(target=self._run, name=name, daemon=True)
            self._thread.start()
        request = _Request(work, Deferred())
        self._waiting += 1
        self._queue.put(request)
        return request.done

    def close(self) -> Deferred[None]:
        if self._closed is None:
            self._closed = Deferred()
            if self._thread is None:
                self._closed.callback(None)
            else:
                self._queue.put(None)
        waiter: Deferred[None] = Deferred()
        self._closed.addCallback(lambda _: waiter.callback(None))
        return waiter

    def _answer(self, requests: list[_Request], results: list[Any]) -> None:
        self._waiting -= len(requests)
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, MailError):
                request.done.errback(Failure(result))
            else:
                request.done.callback(result)

    def _ended(self) -> None:
        if self._thread is not None:
            self._thread.join()
        if self._closed is not None:
            self._closed.callback(None)

    # -- in the thread ----------------------------------------------------------------

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        closing = False
        while not closing:
            requests, closing = self._take()
            if not requests:
                continue
            results: list[Any]
            try:
                if connection is None:
                    connection = self._connect(self._path)
                results = batch(
                    connection, [request.work for request in requests], self._writes
                )
            except Exception as cause:
                results = [told(cause)] * len(requests)
            self._reactor.callFromThread(self._answer, requests, results)
        if connection is not None:
            connection.close()
        self._reactor.callFromThread(self._ended)

    def _take(self) -> tuple[list[_Request], bool]:
        """(what waits, whether that was the end)."""
        requests = []
        try:
            request = self._queue.get()
            while request is not None:
                requests.append(request)
                if len(requests) >= MOST_BATCH:
                    return requests, False
                request = self._queue.get_nowait()
        except Empty:
            return requests, False
        return requests, True


def batch(
    connection: sqlite3.Connection, works: list[Work[Any]], writes: bool
) -> list[Any]:
    """One result or MailError for each work; what was written is durable."""
    if not writes:
        return [_one(connection, work) for work in works]
    try:
        connection.execute("BEGIN IMMEDIATE")
        results = [_in_savepoint(connection, work) for work in works]
        connection.execute("COMMIT")
    except Exception as cause:
        _roll_back(connection)
        return [told(cause)] * len(works)
    return results


def _in_savepoint(connection: sqlite3.Connection, work: Work[Any]) -> Any:
    connection.execute("SAVEPOINT work")
    try:
        result = work(connection)
    except Exception as cause:
        if not connection.in_transaction:  # a full disk rolls everything back
            raise
        connection.execute("ROLLBACK TO work")
        result = told(cause)
    connection.execute("RELEASE work")
    return result


def _one(connection: sqlite3.Connection, work: Work[Any]) -> Any:
    try:
        return work(connection)
    except Exception as cause:
        return told(cause)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.failure("rolling back in the queue")


def told(cause: Exception) -> MailError:
    """The fault for a caller; what is not one yet goes to the log."""
    if isinstance(cause, MailError):
        return cause
    log.error("the queue's database: {cause!r}", cause=cause)
    return fault_of(cause) if isinstance(cause, sqlite3.Error) else MailError()
