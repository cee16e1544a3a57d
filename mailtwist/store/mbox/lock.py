"""Both locks of an mbox file: fcntl's, then the lock file (Debian policy §11.6).

An attempt never waits: who finds the file locked gives up what he has, and tries again
later.  fcntl's lock belongs to the open file (OFD), so that others in this process may
open and close the file meanwhile; programs with the older kind respect it as well.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import time
from collections.abc import Callable
from typing import Protocol

from attrs import define
from twisted.logger import Logger

from ...errors import MailboxFault, SystemBusy
from . import dotlock, inbox

log = Logger()

_FLOCK = struct.Struct("@hhqqi4x")
NO_LOCK_FILE = {errno.EACCES, errno.EPERM, errno.EROFS}

# Seconds between attempts: soon at first, as most hold a lock for a moment.
PAUSES_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


class LockFiles(Protocol):
    """Who makes lock files, and mbox files where there are none.  In threads."""

    def take(self, path: str) -> bool:
        """As dotlock.take."""

    def release(self, path: str) -> None: ...

    def touch(self, path: str) -> None: ...

    def make(self, path: str) -> None:
        """As inbox.make."""


class OwnRights:
    """See LockFiles: with the rights of this process."""

    def take(self, path: str) -> bool:
        return dotlock.take(path)

    def release(self, path: str) -> None:
        dotlock.release(path)

    def touch(self, path: str) -> None:
        dotlock.touch(path)

    def make(self, path: str) -> None:
        inbox.make(path)


@define
class Lock:
    """A lock that is held."""

    path: str
    descriptor: int
    writes: bool
    _release: Callable[[str], None] | None = None
    _touch: Callable[[str], None] | None = None

    def touch(self) -> None:
        """The work goes on."""
        if self._touch is not None:
            self._touch(self.path)

    def release(self) -> None:
        """In a thread; may be called again."""
        if self._release is not None:
            release, self._release = self._release, None
            release(self.path)
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)


def attempt(path: str, *, writes: bool, files: LockFiles) -> Lock | None:
    """The lock, shared unless `writes`; None if another program has it.

    In a thread.  Raises FileNotFoundError, OSError, MailboxFault for what is no plain
    file.  The descriptor may write if the file may be written."""
    descriptor = _open(path, writes=writes)
    lock = Lock(path, descriptor, writes)
    try:
        if not _fcntl(descriptor, writes=writes) or not _same(path, descriptor):
            lock.release()
            return None
        if writes:
            try:
                if not files.take(path):
                    lock.release()
                    return None
                lock._release, lock._touch = files.release, files.touch
            except OSError as fault:
                if fault.errno not in NO_LOCK_FILE:
                    raise
                if dotlock.is_held(path):  # by one that has more rights
                    lock.release()
                    return None
    except BaseException:
        with contextlib.suppress(OSError):
            lock.release()
        raise
    return lock


def waited_for(path: str, *, writes: bool, most_s: float) -> Lock:
    """As `attempt`, with the rights of this process, which may block.

    Who only reads makes no lock file, and waits for another's to go.  Raises SystemBusy
    after `most_s` seconds."""
    until = time.monotonic() + most_s
    for attempts in range(1_000_000):
        lock = attempt(path, writes=writes, files=OwnRights())
        if lock is not None:
            if writes or not dotlock.is_held(path):
                return lock
            lock.release()
        if time.monotonic() > until:
            break
        time.sleep(PAUSES_S[min(attempts, len(PAUSES_S) - 1)])
    raise SystemBusy("It is locked by another program")


def _open(path: str, *, writes: bool) -> int:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    flags |= os.O_RDWR if writes else os.O_RDONLY
    try:
        descriptor = os.open(path, flags)
    except OSError as fault:
        if fault.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise MailboxFault("Mailbox is no plain file", status="4.2.0") from fault
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MailboxFault("Mailbox is no plain file", status="4.2.0")
    return descriptor


def _fcntl(descriptor: int, *, writes: bool) -> bool:
    kind = fcntl.F_WRLCK if writes else fcntl.F_RDLCK
    try:
        fcntl.fcntl(
            descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0)
        )
    except OSError as fault:
        if fault.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def _same(path: str, descriptor: int) -> bool:
    """False if the name is another file's by now."""
    try:
        seen = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(seen, os.fstat(descriptor))
