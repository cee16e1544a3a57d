"""Scripts that were checked before, and the ones of files."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import blake2b

from ..directory.model import Account
from ..errors import MailError, NoSuchScript
from ..mailbox.interfaces import IScripts, IStore
from .check import compiling
from .compiled import Program
from .faults import Fault, Place, ScriptError

MOST_KEPT = 1_000  # compiled scripts in memory
MOST_FILE = 4 << 20  # octets of a script file that are read


class Programs:
    """Compiles each script once; `known` are the extensions that may be used, `pause`
    lets others have a turn."""

    def __init__(
        self,
        known: frozenset[str],
        most_octets: int,
        pause: Callable[[], Awaitable[object]],
    ) -> None:
        self.known, self.most_octets, self._pause = known, most_octets, pause
        self._kept: OrderedDict[bytes, Program | ScriptError] = OrderedDict()

    async def program(self, octets: bytes) -> Program:
        """Raises ScriptError."""
        key = blake2b(octets, digest_size=16).digest()
        found = self._kept.get(key)
        if found is None:
            try:
                found = await self._compiled(octets)
            except ScriptError as fault:
                found = fault
            self._kept[key] = found
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        if isinstance(found, ScriptError):
            raise ScriptError(*found.faults)
        return found

    async def _compiled(self, octets: bytes) -> Program:
        work = compiling(octets, self.known, self.most_octets)
        while True:
            try:
                next(work)
            except StopIteration as done:
                program: Program = done.value
                return program
            await self._pause()


class ScriptFile:
    """A script of the server's own, read again when its file changed."""

    def __init__(self, path: str, programs: Programs) -> None:
        self.path, self._programs = path, programs
        self._stamp: tuple[int, int, int] | None = None
        self._octets = b""

    async def program(self) -> Program:
        """Raises ScriptError, also if the file cannot be read."""
        try:
            found = os.stat(self.path)
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._stamp:
                with open(self.path, "rb") as file:
                    self._octets = file.read(MOST_FILE)
                self._stamp = stamp
        except OSError as cause:
            text = f"cannot be read: {cause.strerror}"
            raise ScriptError(Fault(Place(1, 1), text)) from cause
        return await self._programs.program(self._octets)


class Library:
    """What users' scripts may include: their own, and those of `shared`, a folder."""

    def __init__(self, store: IStore, programs: Programs, shared: str) -> None:
        self._store, self._programs, self._shared = store, programs, shared
        self._files: dict[str, ScriptFile] = {}

    async def included(
        self, account: Account, name: str, shared: bool
    ) -> Program | None:
        """The script of that name; None if there is none.  Raises ScriptError,
        MailError."""
        if shared:
            return await self._of_server(name)
        scripts = self._store.mailboxes(account)
        if not IScripts.providedBy(scripts):
            return None
        try:
            octets = await IScripts(scripts).script(name)
        except NoSuchScript:
            return None
        return await self._programs.program(octets)

    async def _of_server(self, name: str) -> Program | None:
        if not self._shared or "/" in name or "\0" in name or name.startswith("."):
            return None
        try:
            path = os.path.join(self._shared, f"{name}.sieve")
            if not os.path.exists(path):
                return None
        except ValueError as bad:  # no such name in this locale
            raise MailError() from bad
        file = self._files.get(name)
        if file is None:
            if len(self._files) >= MOST_KEPT:
                self._files.clear()
            file = self._files[name] = ScriptFile(path, self._programs)
        return await file.program()
