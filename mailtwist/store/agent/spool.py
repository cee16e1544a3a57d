"""The agent's end of `keeper.spool`: lock files in a folder like /var/mail."""

from __future__ import annotations

import errno
import os
import socket
from threading import Lock as ThreadLock

from ...keeper.spool import MAKE, MOST_OCTETS, NO, RELEASE, TAKE, TOUCH, YES
from ..mbox.lock import NO_LOCK_FILE, OwnRights

ANSWER_S = 10.0


class SpoolRights(OwnRights):
    """See LockFiles: with the user's own rights where they do, else by the process that
    has the group of the spool.  Called in threads."""

    def __init__(self, descriptor: int, path: str) -> None:
        """`path` is the one file that it is for."""
        self._path = path
        self._socket = socket.socket(fileno=descriptor)
        self._socket.settimeout(ANSWER_S)
        self._turn, self._held = ThreadLock(), False

    def take(self, path: str) -> bool:
        try:
            return super().take(path)
        except OSError as fault:
            if fault.errno not in NO_LOCK_FILE:
                raise
        self._held = self._ask(TAKE, path)
        return self._held

    def release(self, path: str) -> None:
        if self._is_theirs(path):
            self._held = False
            self._ask(RELEASE, path)
        else:
            super().release(path)

    def touch(self, path: str) -> None:
        if self._is_theirs(path):
            self._ask(TOUCH, path)
        else:
            super().touch(path)

    def make(self, path: str) -> None:
        try:
            super().make(path)
        except PermissionError:
            self._ask(MAKE, path)

    def _is_theirs(self, path: str) -> bool:
        return self._held and path == self._path

    def _ask(self, word: bytes, path: str) -> bool:
        """Raises OSError."""
        if path != self._path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        with self._turn:
            self._socket.send(word)
            answer = self._socket.recv(MOST_OCTETS)
        if answer in (YES, NO):
            return answer == YES
        code = int(answer) if answer.isdigit() else errno.EPIPE
        raise OSError(code, os.strerror(code), path)
