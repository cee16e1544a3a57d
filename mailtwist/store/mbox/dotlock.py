"""The lock file beside an mbox (Debian policy §11.6): `ann.lock` for `ann`.

It is made with O_EXCL and holds the process id of its owner, as liblockfile's does.
One that was left behind is removed: its process is gone, or it says none and is old.
Whoever calls this holds the fcntl lock of the mbox, so two never remove one at the same
time.  Nothing but the standard library: the lock helper is a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time

STALE_S = 300.0  # of a lock that names no process
LOST_S = 3600.0  # of any: a process of that number may be another one
SETTLE_S = 2.0  # a younger one may not have its content yet


def take(path: str) -> bool:
    """Make the lock of the file `path`; false if somebody else holds it.

    Raises PermissionError, or OSError with EROFS, where none can be made."""
    lock = f"{path}.lock"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(lock, flags, 0o644)
    except FileExistsError:
        if not _remove_stale(lock):
            return False
        try:
            descriptor = os.open(lock, flags, 0o644)
        except FileExistsError:
            return False
    try:
        os.write(descriptor, b"%d\n" % os.getpid())
    except OSError:
        os.unlink(lock)
        raise
    finally:
        os.close(descriptor)
    return True


def release(path: str) -> None:
    """Remove the lock that `take` made."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.lock")


def touch(path: str) -> None:
    """The work takes long, and its owner lives."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(f"{path}.lock")


def _remove_stale(lock: str) -> bool:
    try:
        seen = os.lstat(lock)
        if not stat.S_ISREG(seen.st_mode) or not _is_stale(lock, seen.st_mtime):
            return False
        again = os.lstat(lock)
        if (again.st_ino, again.st_mtime_ns) != (seen.st_ino, seen.st_mtime_ns):
            return False
        os.unlink(lock)
    except FileNotFoundError:
        pass  # its owner was faster
    return True


def _is_stale(lock: str, made: float) -> bool:
    age_s = time.time() - made
    if age_s < SETTLE_S:
        return False
    pid = _owner(lock)
    if pid is None:
        return age_s > STALE_S
    return age_s > LOST_S or not _lives(pid)


def _owner(lock: str) -> int | None:
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError:
        return None
    try:
        text = os.read(descriptor, 32).strip()
    finally:
        os.close(descriptor)
    return int(text) if text.isdigit() and int(text) > 0 else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
