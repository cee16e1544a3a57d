"""System calls that make files durable, with the GIL released."""

from __future__ import annotations

import ctypes
import errno
import os

from ...errors import MailError, StorageFull

SYNC_FILE_RANGE_WRITE = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syncfs.argtypes = [ctypes.c_int]
_libc.sync_file_range.argtypes = [
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_uint,
]

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def fault_of(cause: OSError) -> MailError:
    """What a client is told of a failed system call; it may try again later."""
    return StorageFull() if cause.errno in FULL else MailError()


def syncfs(descriptor: int) -> None:
    """Write out the whole file system of `descriptor`; raises OSError.

    Errors are told once for each descriptor since it was opened (Linux 5.8), so keep it
    open.
    """
    if _libc.syncfs(descriptor):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def start_writeback(descriptor: int, start: int, count: int) -> None:
    """Ask the kernel to begin writing these octets; waits for nothing.

    Only a hint that makes the later fsync short: a failure means no gain, no loss.
    """
    _libc.sync_file_range(descriptor, start, count, SYNC_FILE_RANGE_WRITE)


def sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(paths: list[str], mode: int = 0o700) -> None:
    """Make missing folders, parents before children, and make them durable."""
    for path in paths:
        if not os.path.isdir(path):
            parent = os.path.dirname(path)
            if parent and not os.path.isdir(parent):
                make_directories([parent], mode)
            try:
                os.mkdir(path, mode)
            except FileExistsError:
                continue
            sync_directory(parent or ".")


def write_all(descriptor: int, parts: list[bytes]) -> None:
    """Every octet of `parts` in order; raises OSError."""
    written = os.writev(descriptor, parts)
    left = sum(map(len, parts)) - written
    if not left:
        return
    rest = memoryview(b"".join(parts))[written:]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def copy_rest(source: int, start: int, target: int) -> None:
    """Copy `source` from `start` to its end behind what `target` holds."""
    while True:
        try:
            moved = os.copy_file_range(source, target, 1 << 24, offset_src=start)
        except OSError as fault:
            if fault.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS):
                raise
            octets = os.pread(source, 1 << 20, start)
            if octets:
                write_all(target, [octets])
            moved = len(octets)
        if not moved:
            return
        start += moved
