"""A program of its own: the message on standard input into an mbox file or a Maildir.

It runs as the user whose file it is, so it uses nothing but the standard library.  It
takes the path; a Maildir ends in "/".  All of the message is on disk when it exits with
0; otherwise the file is as long as it was, and the first line of output says why, with
a status code (RFC 3463).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

TEMPORARY = 75  # EX_TEMPFAIL
LOCK_TRIES, LOCK_PAUSE_S = 120, 0.25
STALE_S = 500.0  # a lock file older than this was left behind
CHUNK = 256 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class CannotWrite(Exception):
    """Why, with a status code."""


def main(arguments: list[str]) -> int:
    (path,) = arguments
    try:
        if path.endswith("/"):
            into_maildir(path, sys.stdin.buffer)
        else:
            into_mbox(path, sys.stdin.buffer)
    except CannotWrite as why:
        print(why)
    except OSError as fault:
        full = fault.errno in _FULL
        told = "4.2.2 Mailbox full" if full else "4.2.0 Mailbox cannot be written"
        print(f"{told}: {fault.strerror}")
    else:
        return 0
    return TEMPORARY


# -- mbox -------------------------------------------------------------------------


def into_mbox(path: str, source: BinaryIO) -> None:
    """Append; the file is cut back to its length if anything fails."""
    with locked(path) as descriptor:
        append(descriptor, source)
    sync_directory(os.path.dirname(path))


def append(descriptor: int, source: BinaryIO) -> None:
    start = os.lseek(descriptor, 0, os.SEEK_END)
    try:
        if start and os.pread(descriptor, 1, start - 1) != b"\n":
            write(descriptor, b"\n\n")  # somebody was killed here
        for octets in quoted(source):
            write(descriptor, octets)
        os.fsync(descriptor)
    except BaseException:
        os.ftruncate(descriptor, start)
        os.fsync(descriptor)
        raise


def quoted(source: BinaryIO) -> Iterator[bytes]:
    """The message with ">" before each "From " that starts a line but the first, and
    an empty line at its end."""
    yield source.readline().rstrip(b"\n")  # From_; its line end comes with the rest
    kept = b"\n"
    while octets := source.read(CHUNK):
        octets = kept + octets
        cut = octets.rfind(b"\n", max(0, len(octets) - len(b"\nFrom")))
        cut = len(octets) if cut < 0 else cut  # what may be half of "\nFrom " waits
        yield octets[:cut].replace(b"\nFrom ", b"\n>From ")
        kept = octets[cut:]
    yield kept if kept.endswith(b"\n") else kept + b"\n"
    yield b"\n"


@contextlib.contextmanager
def locked(path: str) -> Iterator[int]:
    """The open file under fcntl's lock and then the lock file (Debian policy §11.6).

    Nobody waits for one while he has the other."""
    for _ in range(LOCK_TRIES):
        descriptor = opened(path)
        try:
            if locked_by_fcntl(descriptor) and is_named(descriptor, path):
                lock = lock_file(path)
                if lock is not None:
                    break
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # which ends fcntl's lock
        time.sleep(LOCK_PAUSE_S)
    else:
        raise CannotWrite("4.2.0 Mailbox is locked by another program")
    try:
        yield descriptor
    finally:
        if lock:
            os.unlink(lock)
        os.close(descriptor)


def opened(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CannotWrite("4.2.0 Mailbox is no regular file")
    return descriptor


def locked_by_fcntl(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        if fault.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def is_named(descriptor: int, path: str) -> bool:
    """False if the name is another file's by now, or nobody's."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def lock_file(path: str) -> str | None:
    """The lock file that was made; None if somebody has it, and "" where its folder
    may not be written: fcntl's is enough there."""
    lock = f"{path}.lock"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    for _ in range(2):
        try:
            descriptor = os.open(lock, flags, 0o644)
        except FileExistsError:
            if not was_left_behind(lock):
                return None
        except OSError as fault:
            if fault.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            return None if held(lock) else ""
        else:
            os.write(descriptor, b"%d\n" % os.getpid())
            os.close(descriptor)
            return lock
    return None


def held(lock: str) -> bool:
    """True if there is one, of a program with more rights."""
    try:
        return time.time() - os.lstat(lock).st_mtime <= STALE_S
    except FileNotFoundError:
        return False


def was_left_behind(lock: str) -> bool:
    """True if it is gone now.  Under fcntl's lock, so two never take it away."""
    if held(lock):
        return False
    with contextlib.suppress(FileNotFoundError):
        os.unlink(lock)
    return True


# -- Maildir ----------------------------------------------------------------------


def into_maildir(path: str, source: BinaryIO) -> None:
    """tmp/, fsync, rename into new/, fsync of the folder."""
    for name in ("", "tmp", "new", "cur"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.join(path, name), 0o700)
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
    now = time.time_ns()
    name = f"{now // 10**9}.M{now // 1000 % 10**6}P{os.getpid()}.{host}"
    draft = os.path.join(path, "tmp", name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(draft, flags, 0o600)
    try:
        try:
            while octets := source.read(CHUNK):
                write(descriptor, octets)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(draft, os.path.join(path, "new", name))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    sync_directory(os.path.join(path, "new"))


def write(descriptor: int, octets: bytes) -> None:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
