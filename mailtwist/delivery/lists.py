"""`.forward` and `:include:` files, read with the care that others' files need."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from ..directory.model import Account
from ..errors import LookupFailed
from ..interfaces import IListFiles
from .alias_grammar import list_lines

log = Logger("mailtwist")

FORWARD = ".forward"
MOST_FORWARD_OCTETS = 64 * 1024
MOST_INCLUDE_OCTETS = 16 * 1024 * 1024
_PASSES = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)


class NotTrusted(Exception):
    """A file that is there and may not be followed, and why."""


# Asks the agent of an account with a uid of its own; None for those that have none.
Ask = Callable[[Account, list[str]], Awaitable[tuple[str, str] | None] | None]


@implementer(IListFiles)
class ListFiles:
    """Reads in threads; an account without `.forward` costs one lstat each time.

    What only its user may read is read by that user's agent, by `ask`."""

    def __init__(
        self,
        in_thread: Callable[..., Awaitable[Any]],
        separator: str,
        ask: Ask = lambda account, names: None,
    ) -> None:
        self._in_thread, self._separator, self._ask = in_thread, separator, ask

    async def forward(self, account: Account, detail: str) -> tuple[str, str] | None:
        """See IListFiles."""
        home, names = account.home, self._names(detail)
        asked = self._ask(account, names)
        if asked is not None:
            found = await asked
        elif not any(os.path.lexists(os.path.join(home, name)) for name in names):
            return None
        else:
            found = await self._in_thread(first_list, home, names, None)
        if found is None:
            return None
        path, text = found
        return path, list_lines(text)

    def _names(self, detail: str) -> list[str]:
        """`.forward+detail`, if that can be a file's name, and `.forward`."""
        plain = detail and "/" not in detail and "\0" not in detail
        if not plain or not self._separator or len(detail.encode()) > 200:
            return [FORWARD]
        return [f"{FORWARD}{self._separator}{detail.lower()}", FORWARD]

    async def include(self, path: str) -> str:
        """See IListFiles."""
        try:
            return list_lines(await self._in_thread(read_include, path))
        except NotTrusted as why:
            log.error("{path} is not followed: {why}", path=path, why=str(why))
            raise LookupFailed() from why
        except OSError as fault:
            raise failed(path, fault) from fault


def failed(path: str, fault: OSError) -> LookupFailed:
    log.error("{path} cannot be read: {why}", path=path, why=fault.strerror)
    return LookupFailed()


def first_list(
    home: str, names: list[str], owners: set[int] | None
) -> tuple[str, str] | None:
    """(path, text) of the first of these files that is in the home; None if there is
    none, or if it may not be followed, which is logged.

    A user's list is a regular file of `owners` (of the home's owner, ours or root's if
    None) that nobody else may write, and no link.  Raises LookupFailed; blocks."""
    path = home
    try:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if owners is None:
                owners = {os.fstat(folder).st_uid, os.geteuid(), 0}
            for name in names:
                path = os.path.join(home, name)
                text = _forward(folder, name, owners)
                if text is not None:
                    return path, text
        finally:
            os.close(folder)
    except NotTrusted as why:
        log.warn("{path} is not followed: {why}", path=path, why=str(why))
    except OSError as fault:
        if fault.errno in _PASSES:
            raise failed(path, fault) from fault
    return None


def _forward(folder: int, name: str, owners: set[int]) -> str | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        opened = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as fault:
        if fault.errno in _PASSES:
            raise
        raise NotTrusted(fault.strerror) from fault
    return _text(opened, owners, stat.S_IWGRP | stat.S_IWOTH, MOST_FORWARD_OCTETS)


def read_include(path: str) -> str:
    """A list of the administrator or of whom he lets write it; links are followed, as
    they are his.  Raises NotTrusted, OSError."""
    if not os.path.isabs(path):
        raise NotTrusted("the path is not absolute")
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    folder = os.stat(os.path.dirname(os.path.realpath(path)))
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        os.close(opened)
        raise NotTrusted("everybody may write its folder")
    return _text(opened, None, stat.S_IWOTH, MOST_INCLUDE_OCTETS)


def _text(opened: int, owners: set[int] | None, writable: int, most: int) -> str:
    try:
        seen = os.fstat(opened)
        if not stat.S_ISREG(seen.st_mode):
            raise NotTrusted("it is no regular file")
        if owners is not None and seen.st_uid not in owners:
            raise NotTrusted(f"it belongs to uid {seen.st_uid}")
        if seen.st_mode & writable:
            raise NotTrusted("others may write it")
        octets = b""
        while len(octets) <= most and (more := os.read(opened, most + 1)):
            octets += more
    finally:
        os.close(opened)
    if len(octets) > most:
        raise NotTrusted(f"it is larger than {most} octets")
    return octets.decode(errors="replace")
