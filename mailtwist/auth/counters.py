"""Counters of failures: each key has a window that begins with its first one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

from attrs import define

MOST_ENTRIES = 50_000  # in each table; some 10 MB when all are full

Key = TypeVar("Key")
Value = TypeVar("Value")


class Counters(Protocol):
    """What processes that throttle the same logins have to share."""

    def count(self, key: str) -> int:
        """Failures in the window that is open now; 0 if there is none."""

    def add(self, key: str) -> int:
        """One more; how many that makes."""

    def renew(self, key: str) -> None:
        """Count at least one, and begin its window anew."""


@define
class Failures:
    count: int = 0
    ends_at: float = float("-inf")  # of the window that is counted

    def now(self, now_s: float) -> int:
        return self.count if self.ends_at > now_s else 0

    def add(self, now_s: float, window_s: float) -> int:
        self.count = self.now(now_s) + 1
        if self.count == 1:
            self.ends_at = now_s + window_s
        return self.count


class MemoryCounters:
    """This process's own; what was unused longest goes first."""

    def __init__(self, now: Callable[[], float], window_s: float) -> None:
        self._now, self._window_s = now, window_s
        self._table: OrderedDict[str, Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def count(self, key: str) -> int:
        failures = self._table.get(key)
        return failures.now(self._now()) if failures is not None else 0

    def add(self, key: str) -> int:
        failures = self._table.get(key) or Failures()
        put(self._table, key, failures)
        return failures.add(self._now(), self._window_s)

    def renew(self, key: str) -> None:
        put(self._table, key, Failures(1, self._now() + self._window_s))


def put(table: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    """Set `key` as the youngest; the oldest goes if there are too many."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > MOST_ENTRIES:
        table.popitem(last=False)
