"""Rewriting a file in place, whole or not at all, whenever the process is killed.

The file is never replaced by another: who waits for its lock has it open.  First all
octets that are to change place or value go into a journal beside the account's state,
durably; then into the file; then the journal goes.  Whoever finds a journal does the
work again (`repair`), under the same locks as the writer.

A file that gets longer gets its length before its octets, so that what others append
after a crash is behind them; one that gets shorter is cut at the end.  If the file is
neither as it was before nor at some point of the work, others rewrote it: then the
journal is set aside.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from attrs import define, field, frozen
from twisted.logger import Logger

from ..maildir import durable

log = Logger()

Part = bytes | tuple[int, int]  # new octets, or (start, stop) of the file as it is

CHUNK_OCTETS = 1 << 20
TAIL_OCTETS = 4096  # at both ends of what is cut off, to know it again

_MAGIC = b"mailtwist mbox journal 1\n"
_RECORD = struct.Struct(">QI16s")  # offset, octets, digest of what was there
_LAST = (1 << 64) - 1  # offset of the record that says how it was and will be


@frozen
class Journal:
    """A complete journal: the file's length before and after, and who it is."""

    path: str
    old: int
    new: int
    inode: int
    tail: str  # digest of what is to be cut off

    def records(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(offset, new octets, digest of the old ones), ascending."""
        with open(self.path, "rb") as file:
            file.seek(len(_MAGIC))
            while True:
                offset, count, digest = _RECORD.unpack(file.read(_RECORD.size))
                if offset == _LAST:
                    return
                yield offset, file.read(count), digest


def journal_of(folder: str, path: str) -> str:
    """Where the journal of the file `path` lies in a state folder."""
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return os.path.join(folder, f"mbox-{name}.journal")


def is_journal(name: str) -> bool:
    """True for what `journal_of` gives, also half written; not for one set aside."""
    return name.startswith("mbox-") and name.endswith((".journal", ".journal.new"))


def _nothing() -> None:
    """Nobody wants to know."""


# -- writing ----------------------------------------------------------------------


def rewrite(
    journal: str,
    descriptor: int,
    parts: Iterable[Part],
    alive: Callable[[], None] = _nothing,
) -> None:
    """Make the file of `descriptor` consist of `parts`, durably.

    Under an exclusive lock.  `alive` is called now and then.  Raises OSError: then the
    file is as it was, or the journal stays and `repair` completes the work."""
    planned = _written(journal, descriptor, parts, alive)
    if planned is None:
        return
    _apply(descriptor, planned, alive)
    if planned.new < planned.old:
        os.ftruncate(descriptor, planned.new)
    _finish(journal, descriptor)


def _written(
    journal: str,
    descriptor: int,
    parts: Iterable[Part],
    alive: Callable[[], None],
) -> Journal | None:
    """A durable journal; None if there is nothing to do."""
    seen, draft = os.fstat(descriptor), f"{journal}.new"
    old = seen.st_size
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(draft, flags, 0o600), "wb") as file:
            writer = _Writer(file, descriptor, old, alive)
            file.write(_MAGIC)
            for part in parts:
                writer.add(part)
            writer.flush()
            new = writer.at
            if new == old and not writer.records:
                os.unlink(draft)
                return None
            planned = Journal(
                journal, old, new, seen.st_ino, _tail(descriptor, new, old)
            )
            text = json.dumps([old, new, seen.st_ino, planned.tail]).encode()
            file.write(_RECORD.pack(_LAST, len(text), b"") + text)
            file.flush()
            os.fsync(file.fileno())
        if new > old:
            durable.reserve(descriptor, old, new - old)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise
    os.rename(draft, journal)
    durable.sync_directory(os.path.dirname(journal))
    return planned


@define
class _Writer:
    """Puts down what does not stand in its place already."""

    file: BinaryIO
    descriptor: int
    old: int
    alive: Callable[[], None]
    at: int = 0  # in the new file
    records: int = 0
    _held: list[bytes] = field(factory=list)
    _held_octets: int = 0

    def add(self, part: Part) -> None:
        if isinstance(part, bytes):
            for start in range(0, len(part), CHUNK_OCTETS):
                self._put(part[start : start + CHUNK_OCTETS])
            return
        start, stop = part
        if start == self.at:
            self.flush()
            self.at = stop
            return
        while start < stop:
            octets = os.pread(self.descriptor, min(CHUNK_OCTETS, stop - start), start)
            if not octets:
                raise OSError(5, "the mailbox got shorter under its lock")
            self._put(octets)
            start += len(octets)
            self.alive()

    def _put(self, octets: bytes) -> None:
        if self._held_octets + len(octets) > CHUNK_OCTETS:
            self.flush()
        self._held.append(octets)
        self._held_octets += len(octets)
        self.at += len(octets)

    def flush(self) -> None:
        octets = b"".join(self._held)
        self._held, self._held_octets = [], 0
        if not octets:
            return
        start = self.at - len(octets)
        there = _pread(self.descriptor, start, min(len(octets), self.old - start))
        if there == octets:
            return
        self.file.write(_RECORD.pack(start, len(octets), _digest(there)) + octets)
        self.records += 1


def _apply(descriptor: int, journal: Journal, alive: Callable[[], None]) -> None:
    """Every octet of the journal into the file; the length first if it grows."""
    if os.fstat(descriptor).st_size < journal.new:
        os.ftruncate(descriptor, journal.new)
    for offset, octets, _ in journal.records():
        rest = memoryview(octets)
        while rest:
            count = os.pwrite(descriptor, rest, offset)
            rest, offset = rest[count:], offset + count
        alive()


def _finish(journal: str, descriptor: int) -> None:
    os.fsync(descriptor)
    os.unlink(journal)
    durable.sync_directory(os.path.dirname(journal))


# -- after a crash ----------------------------------------------------------------


def repair(journal: str, descriptor: int, alive: Callable[[], None] = _nothing) -> None:
    """Complete what the journal says, if there is one, and keep what others appended.

    Under an exclusive lock.  Raises OSError; may be called again."""
    planned = _complete(journal)
    if planned is None:
        return
    extra = _extra(descriptor, planned)
    if extra is None:
        aside = f"{journal}.{time.time_ns()}"
        os.rename(journal, aside)
        durable.sync_directory(os.path.dirname(journal))
        log.critical(
            "a mailbox was rewritten by others after a crash; what was to be written"
            " there is kept in {aside}",
            aside=aside,
        )
        return
    if extra < 0:  # nothing was done yet, and so nothing was promised
        os.unlink(journal)
        durable.sync_directory(os.path.dirname(journal))
        return
    size = os.fstat(descriptor).st_size
    _apply(descriptor, planned, alive)
    if extra > planned.new and size > extra:
        # Others appended to what was not cut yet: the next journal replaces this one.
        rewrite(journal, descriptor, [(0, planned.new), (extra, size)], alive)
        return
    if extra > planned.new:
        os.ftruncate(descriptor, planned.new)
    _finish(journal, descriptor)


def _complete(journal: str) -> Journal | None:
    """A journal is complete once it has its name."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{journal}.new")
    if not os.path.exists(journal):
        return None
    with open(journal, "rb") as file:
        file.seek(len(_MAGIC))
        while True:
            offset, count, _ = _RECORD.unpack(file.read(_RECORD.size))
            if offset == _LAST:
                old, new, inode, tail = json.loads(file.read(count))
                return Journal(journal, old, new, inode, tail)
            file.seek(count, os.SEEK_CUR)


def _extra(descriptor: int, journal: Journal) -> int | None:
    """Where in the file begins what others appended: at its end if nothing is.

    -1 if the work was not begun, None if the file is not what the journal is about."""
    seen = os.fstat(descriptor)
    size, old, new = seen.st_size, journal.old, journal.new
    if seen.st_ino != journal.inode or size < min(old, new):
        return None
    if new > old:
        if size >= new and _progress(descriptor, journal, grown=True) is not None:
            return new
        begun = _progress(descriptor, journal, grown=False)
        return -1 if begun is not None and not begun.some else None
    done = _progress(descriptor, journal, grown=False)
    if done is None:
        return None
    if size >= old and _tail(descriptor, new, old) == journal.tail:
        return old
    return new if done.all else None


@frozen
class _Done:
    """If some, and if all, of the records are in the file."""

    some: bool
    all: bool


def _progress(descriptor: int, journal: Journal, *, grown: bool) -> _Done | None:
    """How far the work went; None if the file cannot have come to be so.

    New records went there in order, the last perhaps in part.  `grown`: the file has
    its new length, with zeros for what is not written yet."""
    some = partial = waiting = False
    for offset, octets, digest in journal.records():
        there = _pread(descriptor, offset, len(octets))
        before = max(0, min(len(octets), journal.old - offset))
        behind = there[before:] if grown else b""
        is_old = not any(behind) and _digest(there[:before]) == digest
        if is_old and there == octets:
            continue
        if is_old:
            waiting = True
            continue
        if waiting or partial or (before < len(octets) and not grown):
            return None
        some = True
        if there != octets:
            match = _common(there, octets)
            if not match or any(there[max(match, before) :]):
                return None
            partial = True
    return _Done(some, not waiting and not partial)


def _common(one: bytes, other: bytes) -> int:
    """How many octets at the start are alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _tail(descriptor: int, start: int, stop: int) -> str:
    """To know what is to be cut off."""
    if start >= stop:
        return ""
    head = _pread(descriptor, start, min(TAIL_OCTETS, stop - start))
    last = max(start, stop - TAIL_OCTETS)
    return _digest(head + _pread(descriptor, last, stop - last)).hex()


def _digest(octets: bytes) -> bytes:
    return hashlib.blake2b(octets, digest_size=16).digest()


def _pread(descriptor: int, start: int, count: int) -> bytes:
    octets = b""
    while count > 0:
        more = os.pread(descriptor, count, start)
        if not more:
            break
        octets += more
        start, count = start + len(more), count - len(more)
    return octets
