"""Reading message files: octet ranges, with CRLF line ends whatever the file has.

Runs in threads.  Our own files have CRLF and are read as they are; a file with bare LF
(from another program) is converted on the way, in bounded memory.  A file is open only
while it is read, and nothing that is not a plain file is opened for long.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from attrs import frozen

CHUNK_OCTETS = 1 << 18
MOST_IN_MEMORY = 1 << 23  # of a message that is parsed; a larger one is mapped

MOST_FILES = 64  # with known places
MOST_PLACES = 4096  # of one file

_BARE_LF = re.compile(rb"(?<!\r)\n")
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NOT_THERE = {errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR}


@frozen
class Wanted:
    """Octets `start` to `start + count` of a file; `lf` if it has bare LFs."""

    path: str
    lf: bool
    start: int
    count: int | None


class Places:
    """Where in a file with bare LFs an offset that counts CRLF lies, about.

    Reading a large file piece by piece would else convert it from the start each time.
    For each file a few (offset with CRLF, offset in the file) pairs at chunk ends.
    """

    def __init__(self) -> None:
        self._files: OrderedDict[str, list[tuple[int, int]]] = OrderedDict()
        self._lock = Lock()

    def before(self, path: str, start: int) -> tuple[int, int]:
        """The last known place at or before `start`."""
        with self._lock:
            known = self._files.get(path, ())
            return max((place for place in known if place[0] <= start), default=(0, 0))

    def note(self, path: str, place: tuple[int, int]) -> None:
        with self._lock:
            known = self._files.setdefault(path, [])
            self._files.move_to_end(path)
            if len(known) < MOST_PLACES and (not known or known[-1] < place):
                known.append(place)
            if len(self._files) > MOST_FILES:
                self._files.popitem(last=False)


def read(wanted: Sequence[Wanted], places: Places) -> list[bytes | None]:
    """The octets of each, None for a file that is not there; raises OSError."""
    return [_read(one, places) for one in wanted]


def _read(wanted: Wanted, places: Places) -> bytes | None:
    found = _open(wanted.path)
    if found is None:
        return None
    descriptor, size = found
    try:
        if wanted.lf:
            return _converted_range(descriptor, wanted, places)
        count = max(0, size - wanted.start)
        if wanted.count is not None:
            count = min(count, wanted.count)
        return _pread(descriptor, count, wanted.start)
    finally:
        os.close(descriptor)


def _open(path: str) -> tuple[int, int] | None:
    """(descriptor, octets) of a plain file, or None."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as fault:
        if fault.errno in _NOT_THERE:
            return None
        raise
    seen = os.fstat(descriptor)
    if not stat.S_ISREG(seen.st_mode):
        os.close(descriptor)
        return None
    return descriptor, seen.st_size


def _pread(descriptor: int, count: int, start: int) -> bytes:
    octets = os.pread(descriptor, count, start)
    while len(octets) < count:  # a signal, or more than one call gives
        more = os.pread(descriptor, count - len(octets), start + len(octets))
        if not more:
            break
        octets += more
    return octets


# -- bare LF ----------------------------------------------------------------------


def crlf_octets(path: str, size: int) -> int:
    """RFC822.SIZE of a file of `size` octets; `size` if it is not there."""
    found = _open(path)
    if found is None:
        return size
    descriptor, _ = found
    try:
        return size + sum(
            len(converted) - octets for converted, octets in _converted(descriptor, 0)
        )
    finally:
        os.close(descriptor)


def with_crlf(octets: bytes, last: bytes = b"") -> bytes:
    """`octets` with CRLF line ends, where `last` are those before them."""
    if octets.count(b"\n") == octets.count(b"\r\n"):
        return octets
    kept = int(last.endswith(b"\r") and octets.startswith(b"\n"))  # the end of a CRLF
    return octets[:kept] + _BARE_LF.sub(b"\r\n", octets[kept:])


def _converted(descriptor: int, offset: int) -> Iterator[tuple[bytes, int]]:
    """The file from `offset` in chunks with CRLF line ends, and their own length.

    `offset` must not lie between CR and LF; no chunk ends there.
    """
    while chunk := os.pread(descriptor, CHUNK_OCTETS, offset):
        if chunk.endswith(b"\r"):
            chunk = chunk[:-1] or chunk + os.pread(descriptor, 1, offset + 1)
        offset += len(chunk)
        yield with_crlf(chunk), len(chunk)


def _converted_range(descriptor: int, wanted: Wanted, places: Places) -> bytes:
    start = wanted.start
    end = None if wanted.count is None else start + wanted.count
    at, offset = places.before(wanted.path, start)
    parts = []
    for chunk, octets in _converted(descriptor, offset):
        low = max(0, start - at)
        high = len(chunk) if end is None else min(len(chunk), end - at)
        if low < high:
            parts.append(chunk[low:high])
        at, offset = at + len(chunk), offset + octets
        places.note(wanted.path, (at, offset))
        if end is not None and at >= end:
            break
    return b"".join(parts)


# -- whole messages ---------------------------------------------------------------


def whole_of(places: Sequence[tuple[str, bool]]) -> list[bytes | mmap.mmap | None]:
    """`whole` of each."""
    return [whole(path, lf) for path, lf in places]


def whole(path: str, lf: bool) -> bytes | mmap.mmap | None:
    """A whole message for parsing; None for a file that is not there.

    A very large one is mapped from an unnamed copy: were the file itself mapped, a
    program that cuts it short could end this one.
    """
    found = _open(path)
    if found is None:
        return None
    descriptor, size = found
    try:
        if size <= MOST_IN_MEMORY:
            octets = _pread(descriptor, size, 0)
            return with_crlf(octets) if lf else octets
        tmp = os.path.join(os.path.dirname(os.path.dirname(path)), "tmp")
        return mapped((chunk for chunk, _ in _converted(descriptor, 0)), tmp)
    finally:
        os.close(descriptor)


def mapped(chunks: Iterable[bytes], folder: str) -> mmap.mmap:
    """All of the octets in an unnamed file of `folder`."""
    with tempfile.TemporaryFile(dir=folder) as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
