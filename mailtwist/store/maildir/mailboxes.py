"""The mailbox tree of one account: folders of the Maildir, rows of the state."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ...errors import (
    BadMailboxName,
    MailboxExists,
    MailboxHasChildren,
    MailError,
    NoSuchMailbox,
    NotPermitted,
    OverQuota,
)
from ...flags import Flags
from ...interfaces import IMailboxes, IUpload
from ...mailbox.model import INBOX, Appended, MailboxInfo, MailboxStatus, Path, Usage
from . import change, durable, folders
from .account import AccountFiles
from .mailbox import MaildirMailbox
from .names import UniqueNames
from .spool import Spool, Spooler
from .writer import MaildirWriter

_BARE_LF = re.compile(rb"(?<!\r)\n")

GONE = "tmp-deleted-"  # a deleted mailbox is renamed to this before it is removed


@implementer(IUpload)
class MaildirUpload:
    """See IUpload.  The file, if it gets one, lies in the account's INBOX tmp/."""

    def __init__(self, spool: Spool) -> None:
        self.spool, self._last = spool, b""

    @property
    def octets(self) -> int:
        return self.spool.octets

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """Octets with whatever line ends; they are kept with CRLF."""
        converted = _BARE_LF.sub(b"\r\n", self._last + octets)[len(self._last) :]
        self._last = b"\r" if octets.endswith(b"\r") else b""
        return self.spool.write(converted)

    def abort(self) -> None:
        self.spool.abort()


@implementer(IMailboxes)
class MaildirMailboxes:
    """See IMailboxes."""

    def __init__(
        self,
        files: AccountFiles,
        defer: Any,
        writer: MaildirWriter,
        spooler: Spooler,
        names: UniqueNames,
    ) -> None:
        self.files, self.defer, self.writer = files, defer, writer
        self.spooler, self.names = spooler, names

    # -- the tree -------------------------------------------------------------

    async def listed(self) -> list[MailboxInfo]:
        async def look() -> list[MailboxInfo]:
            return await self.files.thread(self._listed)

        return await self.files.turn(look)

    def _listed(self) -> list[MailboxInfo]:
        """In a thread."""
        state = self.files.state
        present = folders.listed(self.files.maildir)
        rows, subscribed = state.mailboxes(), state.subscriptions()
        unknown = [path for path in present if path not in rows]
        if unknown:
            if INBOX in unknown:
                folders.make(self.files.maildir, INBOX)
            with state.transaction():
                for path in unknown:
                    self.files._adopt(path, present[path])
            rows = state.mailboxes()
        names = set(present) | subscribed
        for path in present:
            names.update(path[:depth] for depth in range(1, len(path)))
        found = []
        for path in sorted(names, key=_order):
            folder = present.get(path)
            if folder is None:
                parent = any(other[: len(path)] == path for other in present)
                found.append(
                    MailboxInfo(
                        path,
                        "",
                        selectable=False,
                        exists=parent,
                        subscribed=path in subscribed,
                    )
                )
                continue
            row = rows[path]
            found.append(
                MailboxInfo(
                    path,
                    row.object_id,
                    subscribed=path in subscribed,
                    special_uses=row.special_uses,
                    marked=_has_files(f"{folder}/new"),
                )
            )
        return found

    async def create(
        self, path: Path, special_uses: frozenset[str] = frozenset()
    ) -> str:
        folders.check_path(path)

        def make() -> str:
            present = folders.listed(self.files.maildir)
            if path in present:
                raise MailboxExists()
            folders.make(self.files.maildir, INBOX)
            parents = [path[:depth] for depth in range(1, len(path))]
            for parent in parents:
                if parent not in present:
                    self._make(parent, frozenset())
            return self._make(path, special_uses)

        object_id: str = await self._in_thread(make)
        return object_id

    def _make(self, path: Path, special_uses: frozenset[str]) -> str:
        """In a thread: the row first, so that the folder never has a stale one."""
        state = self.files.state
        with state.transaction():
            old = state.mailbox(path)
            if old is not None:
                state.remove_mailbox(old.id)
            row = state.add_mailbox(path, special_uses)
        folders.make(self.files.maildir, path)
        durable.sync_directory(self.files.maildir)
        return row.object_id

    async def delete(self, path: Path) -> None:
        if path == INBOX:
            raise NotPermitted("INBOX cannot be deleted")

        def remove() -> str:
            present = folders.listed(self.files.maildir)
            if path not in present:
                if any(other[: len(path)] == path for other in present):
                    raise MailboxHasChildren()
                raise NoSuchMailbox()
            return self._remove_folder(path, present[path])

        async def delete() -> str:
            gone = await self.files.thread(remove)
            live = self.files.live.get(path)
            if live is not None:
                self.files._vanish(live)
            self.files.usage = None
            return gone

        gone = await self.files.turn(delete)
        await self.defer(shutil.rmtree, gone, True)

    def _remove_folder(self, path: Path, folder: str) -> str:
        """In a thread: out of sight at once; its files are removed afterwards."""
        state = self.files.state
        gone = os.path.join(self.files.maildir, f"{GONE}{time.time_ns()}")
        os.rename(folder, gone)
        durable.sync_directory(self.files.maildir)
        with state.transaction():
            row = state.mailbox(path)
            if row is not None:
                state.remove_mailbox(row.id)
        if row is not None:
            self.files.cache_turn(self.files.cache.forget, row.object_id)
        return gone

    async def rename(self, old: Path, new: Path) -> None:
        folders.check_path(new)
        if old == INBOX:
            await self.create(new)
            inbox = await self.open(INBOX)
            try:
                await inbox.move((await inbox.rows()).uids, new)
            finally:
                await inbox.close()
            return
        if new[: len(old)] == old and new != old:
            raise BadMailboxName("A mailbox cannot be moved into itself")

        def move() -> dict[Path, Path]:
            present = folders.listed(self.files.maildir)
            moved = {
                path: new + path[len(old) :]
                for path in present
                if path[: len(old)] == old
            }
            if not moved:
                raise NoSuchMailbox()
            if any(other[: len(new)] == new for other in present):
                raise MailboxExists()
            for path in moved.values():
                folders.folder_name(path)
            for depth in range(1, len(new)):
                if new[:depth] not in present:
                    self._make(new[:depth], frozenset())
            self._move_folders(present, moved)
            return moved

        async def rename() -> None:
            moved = await self.files.thread(move)
            for path, target in moved.items():
                live = self.files.live.pop(path, None)
                if live is not None:
                    live.path = target
                    name = folders.folder_name(target)
                    live.folder = os.path.join(self.files.maildir, name)
                    self.files.live[target] = live

        await self.files.turn(rename)

    def _move_folders(self, present: dict[Path, str], moved: dict[Path, Path]) -> None:
        """In a thread.  A crash in between leaves whole mailboxes under one name or
        the other; the uidlist in each keeps its UIDs."""
        state, maildir = self.files.state, self.files.maildir
        for path, target in moved.items():
            os.rename(present[path], os.path.join(maildir, folders.folder_name(target)))
            folders.make(maildir, target)
        durable.sync_directory(maildir)
        with state.transaction():
            for path, target in moved.items():
                row, stale = state.mailbox(path), state.mailbox(target)
                if stale is not None:
                    state.remove_mailbox(stale.id)
                if row is not None:
                    state.move_mailbox(row.id, target)

    async def subscribe(self, path: Path) -> None:
        folders.check_path(path)
        await self._in_thread(self._subscription, path, True)

    async def unsubscribe(self, path: Path) -> None:
        await self._in_thread(self._subscription, path, False)

    def _subscription(self, path: Path, wanted: bool) -> None:
        state = self.files.state
        folders.make(self.files.maildir, INBOX)  # so that there is a place for state
        with state.transaction():
            (state.subscribe if wanted else state.unsubscribe)(path)

    def _in_thread(self, work: Any, *arguments: Any) -> Deferred[Any]:
        async def run() -> Any:
            return await self.files.thread(work, *arguments)

        return self.files.turn(run)

    # -- what is in it --------------------------------------------------------

    async def status(self, path: Path) -> MailboxStatus:
        live = await self.files.turn(lambda: self.files.opened(path))
        return live.status()

    async def open(self, path: Path, *, read_only: bool = False) -> MaildirMailbox:
        live = self.files.live.get(path)
        if live is None or not self.files.unchanged(live):
            live = await self.files.turn(lambda: self.files.opened(path))
        return MaildirMailbox(self, live, path, read_only)

    def upload(self) -> MaildirUpload:
        path = os.path.join(self.files.maildir, "tmp", self.names.draft())
        return MaildirUpload(self.spooler.spool(path))

    async def append(
        self, path: Path, messages: Sequence[tuple[IUpload, Flags, int | None]]
    ) -> Appended:
        now = int(time.time())
        uploads = []
        for upload, flags, date in messages:
            if not isinstance(upload, MaildirUpload):
                raise MailError("The octets were uploaded to another store")
            await upload.spool.settled()
            if upload.spool.fault is not None:
                raise durable.fault_of(upload.spool.fault)
            uploads.append((upload.spool, flags, now if date is None else date))
        try:
            return await self.files.turn(lambda: change.append(self, path, uploads))
        finally:
            for spool, _, _ in uploads:
                spool.abort()

    # -- how much -------------------------------------------------------------

    async def usage(self) -> Usage:
        if self.files.usage is not None:
            return self._limited(self.files.usage)
        return await self.files.turn(self.usage_in_turn)

    async def usage_in_turn(self) -> Usage:
        if self.files.usage is None:
            octets, messages = await self.files.thread(self._measured)
            self.files.usage = Usage(octets, messages, None)
        return self._limited(self.files.usage)

    def _limited(self, usage: Usage) -> Usage:
        limit = self.files.account.storage_limit_octets
        return Usage(usage.octets, usage.messages, limit)

    def _measured(self) -> tuple[int, int]:
        """In a thread: octets and files of every folder."""
        octets = messages = 0
        for folder in folders.listed(self.files.maildir).values():
            for part in ("new", "cur"):
                if not os.path.isdir(f"{folder}/{part}"):
                    continue
                with os.scandir(f"{folder}/{part}") as entries:
                    for entry in entries:
                        if entry.name[0] != ".":
                            octets += entry.stat().st_size
                            messages += 1
        return octets, messages

    async def need_room(self, octets: int) -> None:
        """Within a turn.  Raises OverQuota if `octets` more do not fit."""
        if self.files.account.storage_limit_octets is None or not octets:
            return
        usage = await self.usage_in_turn()
        if usage.octets + octets > (usage.limit_octets or 0):
            raise OverQuota()


def _has_files(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name[0] != "." for entry in entries)
    except FileNotFoundError:
        return False


def _order(path: Path) -> tuple[bool, Path]:
    return path[:1] != INBOX, path
