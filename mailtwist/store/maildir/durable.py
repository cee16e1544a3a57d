"""System calls that make files durable, with the GIL released."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os

from ...errors import MailboxFault, MailError, StorageFull, SystemBusy

SYNC_FILE_RANGE_WRITE = 2
KEEP_SIZE = 1  # of fallocate(2)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syncfs.argtypes = [ctypes.c_int]
_libc.fstatfs.argtypes = [ctypes.c_int, ctypes.c_void_p]
_libc.sync_file_range.argtypes = [
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_uint,
]
_libc.fallocate.argtypes = [
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_int64,
]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BUSY = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_GONE = {errno.ENOENT, errno.ENOTDIR}

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_PARTS = 512  # of one writev; Linux takes 1024


def fault_of(cause: OSError) -> MailError:
    """What a client is told of a failed system call; it may always try again later."""
    if cause.errno in _FULL:
        return StorageFull()
    if cause.errno in _BUSY:
        return SystemBusy()
    if cause.errno in _GONE:
        return MailboxFault(status="4.2.0")
    return MailError()


def file_system_type(descriptor: int) -> int:
    """f_type of fstatfs(2); raises OSError."""
    answer = (ctypes.c_long * 32)()  # struct statfs begins with it
    if _libc.fstatfs(descriptor, answer):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(answer[0]) & 0xFFFFFFFF


def create(path: str) -> int:
    """The descriptor of a new file in a tmp/, for its owner only; raises OSError.

    A tmp/ that somebody cleaned away is made again; the folder around it is not.
    """
    try:
        return os.open(path, _NEW_FILE, 0o600)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(path), 0o700)
        return os.open(path, _NEW_FILE, 0o600)


def syncfs(descriptor: int) -> None:
    """Write out the whole file system of `descriptor`; raises OSError.

    Errors are told once for each descriptor since it was opened (Linux 5.8), so keep it
    open.
    """
    if _libc.syncfs(descriptor):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def start_writeback(descriptor: int, start: int, count: int) -> None:
    """Ask the kernel to begin writing these octets (count 0: to the end).

    Only a hint that makes the later fsync short: a failure means no gain, no loss.
    """
    _libc.sync_file_range(descriptor, start, count, SYNC_FILE_RANGE_WRITE)


def reserve(descriptor: int, start: int, count: int) -> None:
    """Have room on the disk for these octets, the file's length as it is.

    Raises OSError if there is none; a file system that cannot tell reserves nothing."""
    while _libc.fallocate(descriptor, KEEP_SIZE, start, count):
        code = ctypes.get_errno()
        if code in (errno.EOPNOTSUPP, errno.ENOSYS):
            return
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))


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
    if len(parts) > MOST_PARTS:
        parts = [b"".join(parts)]
    written = os.writev(descriptor, parts)
    if written == sum(map(len, parts)):
        return
    rest = memoryview(b"".join(parts))[written:]  # the disk took only some
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
