"""What an account holds, as a small file that all processes share.

Beside the account's state lies `usage`: the figures of the account and of each mailbox
with limits, and the changes that are in flight.  Who changes files puts down first what
is to be (`Flight`), and in the end what became of it; each under a lock that is held
for microseconds (octet 0 of the file).  Meanwhile he shares another one (octet 1), so a
flight that is there while nobody shares it was cut short by a crash, and all is counted
anew.  Nothing is synced: a file of before the last boot counts as no figure at all.

The locks are those of `octet_locks`: they end with the descriptor.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import attrs
from attrs import define, field, frozen

from ...directory.owner import give_to_owner_of
from ...errors import SystemBusy
from ...mailbox.model import Limits, Path
from .octet_locks import alone, lock, wait

NAME = "usage"
TRUSTED_S = 5.0  # a refusal needs a count not older than this ...
TRUSTED_TIMES = 50  # ... or than so often the time that it took
MOST_READ = 16 * 1024 * 1024

MUTEX, IN_FLIGHT = 0, 1  # octets that are locked
_EMPTY = [0, 0]
_ENCODER = json.JSONEncoder(separators=(",", ":"))

Amount = tuple[int, int]  # octets and messages

_tokens = count(1)


def key_of(path: Path) -> str:
    """A path as it stands in the file; "" is the account."""
    return "\0".join(path)


def path_of(key: str) -> Path:
    return tuple(key.split("\0")) if key else ()


@cache
def boot_id() -> str:
    """Another text after every boot."""
    try:
        return FilePath("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "?"


class Uncounted(SystemBusy):
    """What the account holds is not known: it has to be counted first."""


class Change(NamedTuple):
    """So much more (or less) in a mailbox; `base` names the file that it is."""

    key: str
    octets: int
    messages: int
    base: str = ""


@frozen
class Crossing:
    """A root holds a threshold's part of its limit, in percent, or more."""

    root: Path
    percent: int
    octets: int
    messages: int
    limits: Limits


@define
class Page:
    """What the file says.

    `held` by key; `limits` of mailboxes by key: octets, messages, mailboxes; `told`:
    those that the account came with at the count.  `new`: what we delivered to new/ of
    a mailbox and no look has taken in.  `flights` by token.  `stale`: the figures are
    wrong; `doubt`: another program may have changed something.  `warned`: the highest
    threshold that the owner was told of.  `header`, `size`: of maildirsize after our
    last line.  `place`: where the account stands in the sum of its domain.
    """

    boot: str = ""
    at: float = 0.0  # of the count, seconds since 1970
    took_s: float = 0.0
    held: dict[str, list[int]] = field(factory=dict)
    limits: dict[str, list[int | None]] = field(factory=dict)
    told: list[Any] = field(factory=list)
    new: dict[str, list[int]] = field(factory=dict)
    flights: dict[str, list[Change]] = field(factory=dict)
    stale: bool = True
    doubt: bool = False
    warned: dict[str, int] = field(factory=dict)
    size: int = -1
    header: str = ""
    place: int = -1

    @classmethod
    def read(cls, octets: bytes) -> Page:
        """A stale page for octets that are none."""
        text, end, _ = octets.partition(b"\n")
        try:
            page = cls(**json.loads(text)) if end else cls()
            for key, flight in page.flights.items():
                page.flights[key] = [Change(*each) for each in flight]
        except (ValueError, TypeError, AttributeError):
            return cls()
        return page if page.boot == boot_id() else cls(warned=page.warned)

    def written(self) -> bytes:
        values = {name: getattr(self, name) for name in _FIELDS}
        return _ENCODER.encode(values).encode() + b"\n"

    # -- figures ------------------------------------------------------------------

    def flying(self) -> Amount:
        """What is in flight and will be more."""
        octets = messages = 0
        for flight in self.flights.values():
            octets += max(0, sum(change.octets for change in flight))
            messages += max(0, sum(change.messages for change in flight))
        return octets, messages

    def amount(self, key: str) -> Amount:
        """What is held at and below a root."""
        octets, messages = self.held.get(key, _EMPTY)
        return octets, messages

    def take_new(self, key: str) -> Amount:
        """What was delivered to a mailbox and not taken in; it is now."""
        octets, messages = self.new.pop(key, _EMPTY)
        return octets, messages

    def roots(self, key: str) -> list[str]:
        """The roots that a mailbox counts towards, the account last."""
        covering = [
            root for root in self.limits if key == root or key.startswith(f"{root}\0")
        ]
        return [*sorted(covering, key=len, reverse=True), ""]

    def limits_of(self, root: str, account: Limits) -> Limits:
        return Limits(*self.limits[root]) if root else account

    def fits(self, account: Limits, changes: Iterable[Change]) -> bool:
        """True if these fit beside all that is there and in flight."""
        flying = [self._by_root(flight) for flight in self.flights.values()]
        for root, more in self._by_root(changes).items():
            limits, held = self.limits_of(root, account), self.amount(root)
            for at, limit in enumerate((limits.octets, limits.messages)):
                coming = sum(max(0, each.get(root, _EMPTY)[at]) for each in flying)
                full = limit is not None and held[at] + coming + more[at] > limit
                if full and more[at] > 0:
                    return False
        return True

    def _by_root(self, changes: Iterable[Change]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for key, octets, messages, _ in changes:
            for root in self.roots(key):
                sums = found.setdefault(root, [0, 0])
                sums[0] += octets
                sums[1] += messages
        return found

    def change(self, changes: Iterable[Change]) -> Amount:
        """Put them to what is held; what the account holds more."""
        found = self._by_root(changes)
        for root, (octets, messages) in found.items():
            held = self.held.setdefault(root, [0, 0])
            held[0] = max(0, held[0] + octets)
            held[1] = max(0, held[1] + messages)
        octets, messages = found.get("", _EMPTY)
        return octets, messages

    def arrived(self, key: str, octets: int, messages: int) -> None:
        """Files went into new/ of the mailbox."""
        if octets or messages:
            held = self.new.setdefault(key, [0, 0])
            held[0] += octets
            held[1] += messages

    def counted_lately(self, now: float) -> bool:
        """True if a count would be too soon: somebody may be refused for these."""
        least = max(TRUSTED_S, TRUSTED_TIMES * self.took_s)
        return not self.stale and abs(now - self.at) <= least

    def crossed(self, account: Limits, thresholds: Sequence[int]) -> list[Crossing]:
        """The thresholds, in percent, that were passed since the last call."""
        found = []
        for root in ["", *self.limits]:
            limits, held = self.limits_of(root, account), self.amount(root)
            percent = max(
                [0]
                + [
                    100 * there // max(limit, 1)
                    for there, limit in zip(
                        held, (limits.octets, limits.messages), strict=True
                    )
                    if limit is not None
                ]
            )
            level = max([0] + [each for each in thresholds if each <= percent])
            if level > self.warned.get(root, 0):
                found.append(Crossing(path_of(root), level, *held, limits))
            if level != self.warned.get(root, 0):
                self.warned[root] = level
        return found


_FIELDS = tuple(each.name for each in attrs.fields(Page))


class Book:
    """The file, open: for one change, or for one look."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor

    @classmethod
    def open(cls, path: str) -> Book | None:
        """None if the account is not counted."""
        try:
            return cls(path, os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW))
        except (FileNotFoundError, NotADirectoryError):
            return None

    @classmethod
    def make(cls, path: str) -> Book:
        """As `open`; a missing file is made."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        book = cls(path, os.open(path, flags, 0o600))
        give_to_owner_of(FilePath(path).absolute().parent, FilePath(path))
        return book

    def close(self) -> None:
        """Every lock ends."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the page -------------------------------------------------------------------

    def read(self) -> Page:
        """Alone with the file for a moment."""
        with alone(self._descriptor, MUTEX):
            return self._read()

    @contextmanager
    def changed(self) -> Iterator[Page]:
        """The page, written back when the block ends well."""
        with alone(self._descriptor, MUTEX):
            page = self._read()
            yield page
            os.pwrite(self._descriptor, page.written(), 0)

    def _read(self) -> Page:
        octets = os.pread(self._descriptor, 8192, 0)
        while len(octets) >= 8192 and b"\n" not in octets and len(octets) < MOST_READ:
            octets += os.pread(self._descriptor, len(octets), len(octets))
        return Page.read(octets)

    # -- who is in flight -------------------------------------------------------------

    def share(self, *, wait: bool = False) -> bool:
        """Be one of those who change files; False while all is being counted."""
        return self._take(fcntl.F_RDLCK, waiting=wait)

    def alone(self, *, wait: bool = False) -> bool:
        """Nobody else changes files, and nobody begins to; False if somebody does."""
        return self._take(fcntl.F_WRLCK, waiting=wait)

    def leave(self) -> None:
        lock(self._descriptor, IN_FLIGHT, fcntl.F_UNLCK)

    def clear(self, page: Page) -> None:
        """Within `changed`, before a flight of ours: what was cut short makes the
        page stale."""
        if page.flights and self.alone():
            page.flights.clear()
            page.stale = True
            self.leave()

    def _take(self, kind: int, *, waiting: bool) -> bool:
        """Raises SystemBusy if others have it for too long."""

        def taken() -> bool:
            return lock(self._descriptor, IN_FLIGHT, kind)

        if not waiting:
            return taken()
        wait(taken)
        return True


def token() -> str:
    """Names a flight; no other one of any process."""
    return f"{os.getpid()}.{next(_tokens)}.{time.time_ns()}"


def as_told(limits: Sequence[tuple[Path, int | None, int | None]]) -> list[Any]:
    """Limits of mailboxes as the page has them."""
    return [[key_of(path), octets, messages] for path, octets, messages in limits]
