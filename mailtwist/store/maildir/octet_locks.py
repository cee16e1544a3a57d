"""Locks on single octets of a file, of open file descriptions (fcntl(2), OFD).

They end with the descriptor, whatever becomes of the process, and keep apart two
descriptors of one process too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import SystemBusy

WAIT_S = 10.0  # for others
PAUSE_S = 0.0005
_FLOCK = "@hhqqi"


def lock(descriptor: int, octet: int, kind: int) -> bool:
    """Take F_RDLCK or F_WRLCK, or give it up by F_UNLCK; False if others have it."""
    asked = struct.pack(_FLOCK, kind, os.SEEK_SET, octet, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, asked)
    except OSError as fault:
        if fault.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def wait(taken: Callable[[], bool]) -> None:
    """Until it is taken; raises SystemBusy if others have it for too long."""
    if taken():
        return
    until = time.monotonic() + WAIT_S
    while not taken():
        if time.monotonic() > until:
            raise SystemBusy()
        time.sleep(PAUSE_S)


@contextmanager
def alone(descriptor: int, octet: int) -> Iterator[None]:
    """Nobody else has the octet in this block.  Raises SystemBusy."""
    wait(lambda: lock(descriptor, octet, fcntl.F_WRLCK))
    try:
        yield
    finally:
        lock(descriptor, octet, fcntl.F_UNLCK)
