"""Reading message files: octet ranges, with CRLF line ends whatever the file has.

Runs in threads.  Our own files have CRLF and are read as they are; a file with bare LF
(from another program) is converted on the way, in bounded memory.
"""

from __future__ import annotations

import mmap
import os
import re
import tempfile
from collections.abc import Sequence

from attrs import frozen

CHUNK_OCTETS = 1 << 18

_BARE_LF = re.compile(rb"(?<!\r)\n")


@frozen
class Wanted:
    """Octets `start` to `start + count` of a file; `lf` if it has bare LFs."""

    path: str
    lf: bool
    start: int
    count: int | None


def read(wanted: Sequence[Wanted]) -> list[bytes | None]:
    """The octets of each, None for a file that is not there."""
    return [_read(one) for one in wanted]


def _read(wanted: Wanted) -> bytes | None:
    try:
        descriptor = os.open(wanted.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        if wanted.lf:
            return _converted_range(descriptor, wanted.start, wanted.count)
        count = wanted.count
        if count is None:
            count = max(0, os.fstat(descriptor).st_size - wanted.start)
        octets = os.pread(descriptor, count, wanted.start)
        while len(octets) < count:  # a signal, or more than a read gives at once
            more = os.pread(descriptor, count - len(octets), wanted.start + len(octets))
            if not more:
                break
            octets += more
        return octets
    finally:
        os.close(descriptor)


def _converted_range(descriptor: int, start: int, count: int | None) -> bytes:
    end = None if count is None else start + count
    at, parts = 0, []
    for chunk in _converted(descriptor):
        low = max(0, start - at)
        high = len(chunk) if end is None else min(len(chunk), end - at)
        if low < high:
            parts.append(chunk[low:high])
        at += len(chunk)
        if end is not None and at >= end:
            break
    return b"".join(parts)


def _converted(descriptor: int):  # type: ignore[no-untyped-def]
    """The file in chunks with CRLF line ends."""
    offset, last = 0, b""
    while chunk := os.pread(descriptor, CHUNK_OCTETS, offset):
        offset += len(chunk)
        converted = _BARE_LF.sub(b"\r\n", last + chunk)
        yield converted[len(last) :]
        last = b"\r" if chunk.endswith(b"\r") else b""


def whole(path: str, lf: bool) -> bytes | mmap.mmap | None:
    """A whole message for parsing; a large one is mapped, not read.

    None for a file that is not there.  Messages with bare LF are converted into an
    unnamed temporary file first.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(descriptor).st_size
        if size <= CHUNK_OCTETS:
            octets = os.pread(descriptor, size, 0)
            return _BARE_LF.sub(b"\r\n", octets) if lf else octets
        if not lf:
            return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        with tempfile.TemporaryFile() as file:
            for chunk in _converted(descriptor):
                file.write(chunk)
            file.flush()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
