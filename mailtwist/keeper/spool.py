"""What a user's agent needs the group of /var/mail for: a process with that group, the
user's uid, and nothing else to do.

Only members of the group may make files there, and who is a member may read all mail;
so the agent itself is none.  It asks, by one word on a socket, for the lock file of the
one file that it is for, and for that file where there is none.  The lock goes when the
agent ends, however that is.
"""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress

from ..store.mbox import dotlock

MOST_OCTETS = 64  # of a packet
TAKE, TOUCH, RELEASE, MAKE = b"take", b"touch", b"release", b"make"
YES, NO = b"yes", b"no"  # else the number of an error


def serve(asker: socket.socket, path: str, uid: int, gid: int) -> None:
    """Until `asker` closes, with the rights of `uid` and `gid`, for the file `path`."""
    lock = Lock(path, uid, gid)
    try:
        while word := asker.recv(MOST_OCTETS):
            try:
                answer = lock.done(word)
            except OSError as fault:
                answer = b"%d" % (fault.errno or 5)
            asker.send(answer)
    except OSError:
        pass  # nobody asks any more
    finally:
        with suppress(OSError):
            lock.done(RELEASE)


class Lock:
    """The lock of one file in a spool."""

    def __init__(self, path: str, uid: int, gid: int) -> None:
        self._path, self._uid, self._gid = path, uid, gid
        self._held = False

    def done(self, word: bytes) -> bytes:
        """Raises OSError, which the agent is told."""
        if word == RELEASE:
            if self._held:
                self._held = False
                dotlock.release(self._path)
            return YES
        _check_folder(self._path, self._gid)
        match word:
            case b"take":
                seen = os.lstat(self._path)
                if not stat.S_ISREG(seen.st_mode) or seen.st_uid != self._uid:
                    raise PermissionError(1, "it is not the user's")
                self._held = self._held or dotlock.take(self._path)
                return YES if self._held else NO
            case b"touch":
                dotlock.touch(self._path)
            case b"make":
                _make(self._path)
            case _:
                raise PermissionError(1, "nothing that is done here")
        return YES


def _check_folder(path: str, gid: int) -> None:
    """Raises OSError for a folder that is no spool of this group, made by root."""
    seen = os.stat(os.path.dirname(path))
    asks = seen.st_mode & stat.S_IWGRP and not seen.st_mode & stat.S_IWOTH
    if not path.startswith("/") or not asks or (seen.st_uid, seen.st_gid) != (0, gid):
        raise PermissionError(1, "it is no spool")


def _make(path: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileExistsError):
        os.close(os.open(path, flags, 0o600))
