"""Answers kept for their time, and equal look-ups in flight joined to one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """At most `most` values, each until its time; the longest unused goes first."""

    def __init__(self, most: int, seconds: Callable[[], float]) -> None:
        self._most, self._seconds = most, seconds
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> tuple[Value, float] | None:
        """(value, seconds it still holds), None if it is not kept."""
        found = self._kept.get(key)
        if found is None:
            return None
        end, value = found
        left_s = end - self._seconds()
        if left_s <= 0:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return value, left_s

    def put(self, key: Hashable, value: Value, ttl_s: float) -> None:
        """Keep `value`; one without time to live is not kept."""
        self._kept.pop(key, None)
        if ttl_s <= 0 or not self._most:
            return
        if len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        self._kept[key] = (self._seconds() + ttl_s, value)


class _Flight:
    def __init__(self) -> None:
        self.work: Deferred[Any] | None = None
        self.waiters: list[Deferred[Any]] = []


class Flights(Generic[Value]):
    """Work under way; who asks for the same meanwhile shares its result.

    A waiter may be cancelled without harm to the others; the work is given up when the
    last one is.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    def join(
        self, key: Hashable, start: Callable[[], Coroutine[Any, Any, Value]]
    ) -> Deferred[Value]:
        """The result of `start()`, or of the work that is under way for `key`."""
        flight = self._flights.get(key)
        if flight is not None:
            return self._wait(key, flight)
        flight = self._flights[key] = _Flight()
        waiter = self._wait(key, flight)
        flight.work = Deferred.fromCoroutine(start())
        flight.work.addBoth(self._landed, key, flight)
        return waiter

    def cancel(self) -> None:
        """Give up everything that is under way; who waits is told by cancellation."""
        for flight in list(self._flights.values()):
            for waiter in list(flight.waiters):
                waiter.cancel()

    def _wait(self, key: Hashable, flight: _Flight) -> Deferred[Value]:
        def cancelled(waiter: Deferred[Value]) -> None:
            flight.waiters.remove(waiter)
            if not flight.waiters and flight.work is not None:
                self._forget(key, flight)
                flight.work.cancel()

        waiter: Deferred[Value] = Deferred(cancelled)
        flight.waiters.append(waiter)
        return waiter

    def _landed(self, result: Any, key: Hashable, flight: _Flight) -> None:
        self._forget(key, flight)
        waiters, flight.waiters = flight.waiters, []
        for waiter in waiters:
            if isinstance(result, Failure):
                waiter.errback(result)
            else:
                waiter.callback(result)

    def _forget(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
