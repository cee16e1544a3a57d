"""Reading messages of an mbox file, without a lock.

The file is read only while it is as it was at the last look: its stamp is compared
before and after, as every program that writes it changes that.  Runs in threads.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import frozen

from ..maildir.content import MOST_IN_MEMORY, Places, mapped
from ..maildir.live import Stamp
from .intake import stamp_of
from .scan import Entry, shown, shown_at

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NOT_THERE = {errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EISDIR}

Result = TypeVar("Result")
Whole = list[bytes | mmap.mmap | None]


class Changed:
    """The file is not as it was at the last look."""


CHANGED = Changed()


@frozen
class Wanted:
    """Octets `start` to `start + count` of a message, as a client counts them."""

    entry: Entry
    start: int = 0
    count: int | None = None


def as_it_was(
    path: str, stamp: Stamp | None, read: Callable[[int], Result]
) -> Result | Changed:
    """What `read` makes of the open file; raises OSError."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as fault:
        if fault.errno in _NOT_THERE:
            return CHANGED
        raise
    try:
        plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if not plain or stamp_of(descriptor) != stamp:
            return CHANGED
        result = read(descriptor)
        return result if stamp_of(descriptor) == stamp else CHANGED
    finally:
        os.close(descriptor)


def ranges(
    descriptor: int, wanted: Sequence[Wanted | None], places: Places, path: str
) -> list[bytes | None]:
    """The octets of each; None for one that is not there."""
    return [
        None if one is None else _range(descriptor, one, places, path) for one in wanted
    ]


def _range(descriptor: int, wanted: Wanted, places: Places, path: str) -> bytes:
    """Large messages are not read from their start each time: where a piece ended is
    remembered."""
    entry, start = wanted.entry, wanted.start
    end = None if wanted.count is None else start + wanted.count
    name = f"{path}\0{entry.key}"
    at, offset = places.before(name, start) if start else (0, 0)
    # Behind the header, whose marks may get longer; 0 is for the message's own start.
    begin = entry.body + offset - 1 if offset else entry.text
    parts = []
    for octets, stop in shown_at(
        descriptor, begin, entry.stop, entry.form, in_header=not offset
    ):
        low = max(0, start - at)
        high = len(octets) if end is None else min(len(octets), end - at)
        if low < high:
            parts.append(octets[low:high])
        at += len(octets)
        if stop > entry.body:
            places.note(name, (at, stop - entry.body + 1))
        if end is not None and at >= end:
            break
    return b"".join(parts)


def whole(descriptor: int, entries: Sequence[Entry | None], folder: str) -> Whole:
    """Whole messages for parsing, very large ones as a mapped copy in `folder`."""
    found: Whole = []
    for entry in entries:
        if entry is None:
            found.append(None)
            continue
        pieces = shown(descriptor, entry.text, entry.stop, entry.form)
        if entry.octets <= MOST_IN_MEMORY:
            found.append(b"".join(pieces))
        else:
            os.makedirs(folder, 0o700, exist_ok=True)
            found.append(mapped(pieces, folder))
    return found
