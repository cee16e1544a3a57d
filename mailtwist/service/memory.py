"""The memory that all workers of a server share: who is connected, and how often.

It outlives each of them, and is gone with the master.
"""

from __future__ import annotations

import fcntl
import os
import time

from ..auth.shared_counters import SharedCounters
from ..policy.shared_rate import SharedRate
from ..shared_places import SIZE as TABLE
from ..shared_places import mark_of
from . import tally
from .tally import Tally

COUNTERS = ("networks", "wide", "accounts", "known", "pairs", "server")
RATES = (
    *("connections_per_minute", "messages_per_minute", "recipients_per_minute"),
    *("login_messages_per_hour", "login_recipients_per_hour", "login_delay_s"),
)
TABLES = COUNTERS + RATES
FIRST_TABLE = tally.SIZE
SIZE = FIRST_TABLE + len(TABLES) * TABLE
LOCKS = 1 << 62  # octets that nobody has, and that are locked for a name


def made() -> int:
    """A descriptor of new memory.  Raises OSError."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    memory = os.memfd_create("mailtwist-shared", flags)
    os.ftruncate(memory, SIZE)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return memory


class Memory:
    """A worker's view, which has `region`."""

    def __init__(self, descriptor: int, region: int) -> None:
        self._descriptor = descriptor
        self.tally = Tally(descriptor, region)
        self.locks = NameLocks(descriptor)

    def counters(self, kind: str, window_s: float) -> SharedCounters:
        """For `auth.throttle`."""
        return SharedCounters(self._descriptor, time.time, window_s, offset_of(kind))

    def rate(self, name: str, limit: int, span_s: float) -> SharedRate:
        """For `policy.rate`."""
        return SharedRate(limit, span_s, time.time, self._descriptor, offset_of(name))


def offset_of(table: str) -> int:
    return FIRST_TABLE + TABLES.index(table) * TABLE


class NameLocks:
    """What one process has of a name, no other has: locks that end with the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held: set[int] = set()

    def take(self, name: str) -> bool:
        """False if somebody has it, we ourselves too."""
        at = LOCKS + mark_of(name) % LOCKS
        if at in self._held:
            return False
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
        except (BlockingIOError, PermissionError):
            return False
        self._held.add(at)
        return True

    def release(self, name: str) -> None:
        at = LOCKS + mark_of(name) % LOCKS
        self._held.discard(at)
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, at)
