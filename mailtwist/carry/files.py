"""Ends that are files, and the process that reads and writes them.

A command of root's gives up root's rights before it touches an account, and could read
no other program's mail then.  So files are the work of a child, which has the rights of
whom the folder belongs to: what that user may not read, a link in the folder does not
lead to.
"""

from __future__ import annotations

import os
import pwd
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..errors import MailError
from ..flags import Flags
from ..keeper.rights import become
from ..mailbox.model import Path
from .model import Folder, IEnd, Letter, Listed


class FileEnd(ABC):
    """As IEnd, but blocking; `path` is absolute.  May also raise OSError."""

    def __init__(self, path: str) -> None:
        self.path = path

    @abstractmethod
    def folders(self) -> list[Folder]: ...

    @abstractmethod
    def make(self, folder: Folder) -> None: ...

    @abstractmethod
    def listed(self, path: Path) -> Listed: ...

    @abstractmethod
    def read(self, path: Path, keys: Sequence[str]) -> list[bytes | None]: ...

    @abstractmethod
    def add(self, path: Path, letters: Sequence[Letter]) -> list[str]: ...

    @abstractmethod
    def set_flags(self, path: Path, changes: Sequence[tuple[str, Flags]]) -> None: ...

    @abstractmethod
    def remove(self, path: Path, keys: Sequence[str]) -> None: ...


METHODS = frozenset(("folders", "make", "listed", "read", "add", "set_flags", "remove"))


@implementer(IEnd)
class Apart:
    """The end that `opened(path)` gives, in a child process, which begins here: before
    the reactor runs.  `thread` runs what blocks."""

    def __init__(
        self,
        path: str,
        opened: Callable[[str], FileEnd],
        thread: Callable[..., Deferred[Any]],
    ) -> None:
        self.name, self._thread = f"file:{path}", thread
        context = get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._child = context.Process(
            target=_serve, args=(path, opened, theirs, self._pipe), daemon=True
        )
        self._child.start()
        theirs.close()

    async def _ask(self, method: str, *arguments: Any) -> Any:
        good, result = await self._thread(self._exchange, method, arguments)
        if not good:
            raise MailError(result)
        return result

    def _exchange(self, method: str, arguments: Any) -> Any:
        try:
            self._pipe.send((method, arguments))
            return self._pipe.recv()
        except (EOFError, OSError) as fault:
            raise MailError("The process that reads the folder ended") from fault

    async def folders(self) -> list[Folder]:
        found: list[Folder] = await self._ask("folders")
        return found

    async def make(self, folder: Folder) -> None:
        await self._ask("make", folder)

    async def listed(self, path: Path) -> Listed:
        found: Listed = await self._ask("listed", path)
        return found

    async def read(self, path: Path, keys: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = await self._ask("read", path, keys)
        return found

    async def add(self, path: Path, letters: Sequence[Letter]) -> list[str | MailError]:
        keys: list[str | MailError] = await self._ask("add", path, letters)
        return keys

    async def set_flags(self, path: Path, changes: Sequence[tuple[str, Flags]]) -> None:
        await self._ask("set_flags", path, changes)

    async def remove(self, path: Path, keys: Sequence[str]) -> None:
        await self._ask("remove", path, keys)

    async def close(self) -> None:
        try:
            await self._ask("close")
        finally:
            self.end()

    def end(self) -> None:
        """Let the child go; blocks until it is gone."""
        self._pipe.close()
        self._child.join(10)
        if self._child.is_alive():
            self._child.kill()
            self._child.join()


def _serve(
    path: str, opened: Callable[[str], FileEnd], pipe: Connection, ours: Connection
) -> None:
    """In the child: what the pipe asks for, until nobody is there to ask."""
    ours.close()  # else we would never see its end
    _give_up(path)
    ends: list[FileEnd] = []

    def end() -> FileEnd:
        if not ends:
            ends.append(opened(path))
        return ends[0]

    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        while True:
            method, arguments = pipe.recv()
            if method == "close":
                pipe.send((True, None))
                return
            pipe.send(_answered(end, method, arguments))


def _answered(
    end: Callable[[], FileEnd], method: str, arguments: Any
) -> tuple[bool, Any]:
    if method not in METHODS:
        return False, "Nobody knows how to do that"
    try:
        return True, getattr(end(), method)(*arguments)
    except MailError as fault:
        return False, fault.public
    except OSError as fault:
        where = f"{fault.filename}: " if isinstance(fault.filename, str) else ""
        return False, f"{where}{fault.strerror}".encode("ascii", "replace").decode()


def _give_up(path: str) -> None:
    """Become the owner of `path`, or of the folder where it will be made."""
    if os.geteuid():
        return
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    seen = os.stat(path)
    if not seen.st_uid:
        return  # root's own
    try:
        user = pwd.getpwuid(seen.st_uid)
    except KeyError:
        become(seen.st_uid, seen.st_gid or seen.st_uid, "")
    else:
        become(user.pw_uid, user.pw_gid, user.pw_name)
