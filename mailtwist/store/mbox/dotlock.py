"""The lock file beside an mbox (Debian policy §11.6): `ann.lock` for `ann`.

It is made by link(2) or O_EXCL and has the process id of its owner, as liblockfile's.
One that was left behind is removed: its process is gone, or it says none and is old.
Whoever calls this holds the fcntl lock of the mbox, so two never remove one at the same
time.  Nothing but the standard library: the lock helper is a process of its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time

LOCK_FILE = ".lock"  # behind the name of the mbox
STALE_S = 300.0  # of a lock that names no process
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
LOST_S = 3600.0  # of any: a process of that number may be another one


def take(path: str) -> bool:
    """Make the lock of the file `path`; false if somebody else holds it.

    Raises PermissionError, or OSError with EROFS, where none can be made."""
    lock = f"{path}{LOCK_FILE}"
    return _made(lock) or (_remove_stale(lock) and _made(lock))


def _made(lock: str) -> bool:
    """False if there is one.  It has its content from the start, where the file system
    can do that: nobody knows when one without is stale."""
    folder = os.open(os.path.dirname(lock), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
            unnamed = os.open(".", flags, 0o644, dir_fd=folder)
        except OSError as fault:
            if fault.errno not in _NO_TMPFILE:
                raise
            return _made_and_filled(lock)
        try:
            _fill(unnamed)
            os.link(f"/proc/self/fd/{unnamed}", lock, src_dir_fd=folder)
        except FileExistsError:
            return False
        finally:
            os.close(unnamed)
    finally:
        os.close(folder)
    return True


def _made_and_filled(lock: str) -> bool:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(lock, flags, 0o644)
    except FileExistsError:
        return False
    try:
        _fill(descriptor)
    except OSError:
        os.unlink(lock)
        raise
    finally:
        os.close(descriptor)
    return True


def _fill(descriptor: int) -> None:
    os.write(descriptor, b"%d\n" % os.getpid())


def is_held(path: str) -> bool:
    """True if there is a lock that was not left behind."""
    lock = f"{path}{LOCK_FILE}"
    try:
        return not _is_stale(lock, os.lstat(lock).st_mtime)
    except FileNotFoundError:
        return False


def release(path: str) -> None:
    """Remove the lock that `take` made."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}{LOCK_FILE}")


def touch(path: str) -> None:
    """The work takes long, and its owner lives."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(f"{path}{LOCK_FILE}")


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
