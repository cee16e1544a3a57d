"""inotify(7): the kernel tells which folders changed.

Ours and not Twisted's INotify, which closes itself when a watched folder is deleted and
says nothing of an overflow.  It tells that something changed and not what: whoever
watches looks for himself.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger

log = Logger()

MODIFY, ATTRIB, MOVE_SELF = 0x2, 0x4, 0x800
MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400
OVERFLOW = 0x4000
ONLY_FOLDERS = 0x1000000
CHANGES = MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF
ENTRIES = CHANGES | ONLY_FOLDERS  # of a folder
WRITTEN = MODIFY | ATTRIB | MOVE_SELF | DELETE_SELF  # of a file

READ_OCTETS = 65_536
_EVENT = struct.Struct("=iIII")  # watch, mask, cookie, octets of the name behind it

_libc = ctypes.CDLL(None, use_errno=True)
_libc.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]


def started(reactor: Any) -> Inotify | None:
    """None where the kernel or the reactor has no more to give: then polls must do."""
    if not IReactorFDSet.providedBy(reactor):
        return None
    try:
        return Inotify(reactor)
    except OSError as fault:
        log.warn("folders are only polled: inotify: {why}", why=fault.strerror)
        return None


class Inotify(FileDescriptor):
    """Watches folders and files for as long as somebody wants to know."""

    def __init__(self, reactor: Any) -> None:
        """Raises OSError."""
        super().__init__(reactor)
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._callbacks: dict[int, dict[object, Callable[[], None]]] = {}
        self.connected = True
        self.startReading()

    def fileno(self) -> int:
        return self._fd

    def watch(
        self, path: str, changed: Callable[[], None], events: int = ENTRIES
    ) -> Callable[[], None]:
        """Call `changed` after entries of a folder came or went, until the result is
        called; also after a rename of the folder.  With WRITTEN `path` is a file, and
        each change of it is told.  Raises OSError."""
        octets = os.fsencode(path)
        watch = _checked(_libc.inotify_add_watch(self._fd, octets, events))
        key = object()
        self._callbacks.setdefault(watch, {})[key] = changed

        def end() -> None:
            callbacks = self._callbacks.get(watch, {})
            if callbacks.pop(key, None) is not None and not callbacks:
                del self._callbacks[watch]
                # A folder that is gone has no watch any more: that is no fault.
                _libc.inotify_rm_watch(self._fd, watch)

        return end

    def doRead(self) -> None:
        try:
            octets = os.read(self._fd, READ_OCTETS)
        except BlockingIOError:
            return
        watches: set[int] = set()
        at = 0
        while at < len(octets):
            watch, mask, _, name_octets = _EVENT.unpack_from(octets, at)
            at += _EVENT.size + name_octets
            if mask & OVERFLOW:
                watches.update(self._callbacks)
            elif mask & (CHANGES | WRITTEN):
                watches.add(watch)
        for watch in watches:
            for changed in list(self._callbacks.get(watch, {}).values()):
                changed()

    def close(self) -> None:
        if self.connected:
            self.connected = False
            self.stopReading()
            self._callbacks.clear()
            os.close(self._fd)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
