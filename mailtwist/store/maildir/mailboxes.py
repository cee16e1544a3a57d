"""The mailbox tree of one account."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ...errors import MailboxNotSelectable, MailError, NotPermitted
from ...flags import Flags
from ...mailbox.interfaces import (
    ICheckedMailboxes,
    IIndexedMailboxes,
    IRights,
    IScripts,
    IUpload,
)
from ...mailbox.kept_rights import KeptRights
from ...mailbox.metadata import ACCOUNT
from ...mailbox.model import (
    INBOX,
    Annotation,
    Appended,
    Checked,
    Listing,
    MailboxStatus,
    Path,
    ScriptInfo,
    TextFigures,
)
from ...mailbox.rights import Entries, Rights, RightsChange
from ...shielded import shielded
from .. import state_keys
from . import durable, folders, metadata, rights, scripts, transfer, tree
from .account import AccountFiles
from .check import Check
from .content import Places, with_crlf
from .held import Held
from .indexing import Indexer
from .keeping import Keeping
from .live import Live
from .mailbox import MaildirMailbox
from .names import UniqueNames
from .rested import RestedMailboxes
from .spool import Spool, Spooler
from .writer import MaildirWriter

KEY_OCTETS = 32  # of a key that authorizes URLs


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
        converted, self._last = with_crlf(octets, self._last), octets[-1:] or self._last
        return self.spool.write(converted)

    async def shelve(self) -> None:
        await self.spool.shelve()

    def abort(self) -> None:
        self.spool.abort()


@implementer(IIndexedMailboxes, ICheckedMailboxes, IRights, IScripts)
class MaildirMailboxes(Held, KeptRights):
    """See IMailboxes."""

    def __init__(
        self,
        files: AccountFiles,
        defer: Callable[..., Deferred[Any]],
        writer: MaildirWriter,
        spooler: Spooler,
        names: UniqueNames,
        places: Places,
        indexer: Indexer,
    ) -> None:
        self.indexer = indexer
        self.files, self.defer, self.writer = files, defer, writer
        self.spooler, self.names, self.places = spooler, names, places
        self.keeping: Keeping | None = None  # of what is deleted
        self._rested = RestedMailboxes()

    # -- the tree -------------------------------------------------------------

    async def listed(self) -> Listing:
        found: Listing = await self._in_thread(_listed)
        return found

    async def create(
        self, path: Path, special_uses: frozenset[str] = frozenset()
    ) -> str:
        object_id: str = await self._in_thread(tree.create, path, special_uses)
        self._renamed()
        return object_id

    async def delete(self, path: Path) -> None:
        if path == INBOX:
            raise NotPermitted("INBOX cannot be deleted")
        files = self.files
        taken: set[int] = set()

        async def delete() -> str:
            await self._keep(path, taken)
            gone, object_id = await files.thread(tree.delete, files, path)
            live = files.live.get(path)
            if live is not None:
                files.vanish(live)
            files.cache_turn(files.cache.forget, object_id)
            return gone

        gone = await files.turn(delete)
        self._renamed()
        await self.defer(files.place.purge, gone)

    async def _keep(self, path: Path, taken: set[int]) -> None:
        """Within a turn, of a mailbox that is to go."""
        if self.keeping is not None:
            with suppress(MailboxNotSelectable):
                live = await self.files.opened(path)
                await self.keeping.take(self, live, live.uids[:], taken)

    async def rename(self, old: Path, new: Path) -> None:
        if old == INBOX:
            await self._rename_inbox(new)
            return
        files = self.files

        async def rename() -> None:
            moved = await files.thread(tree.rename, files, old, new)
            for path, (target, folder) in moved.items():
                live = files.live.pop(path, None)
                if live is not None:
                    live.path, live.row = target, evolve(live.row, path=target)
                    live.folder = folder
                    files.live[target] = live

        await files.turn(rename)
        self._renamed()

    def _renamed(self) -> None:
        """Names changed, or what may be done with them."""
        self._rested.forget()
        self.forget_lists()
        self.files.told_here(None)

    async def _rename_inbox(self, new: Path) -> None:
        """RFC 3501 §6.3.5: the messages move, INBOX stays, and so do its children."""
        before = {info.path for info in await self.listed() if info.object_id}
        await self.create(new)
        await self._in_thread(metadata.copied, INBOX, new)  # RFC 5464 §4.1
        await self._in_thread(rights.copied, INBOX, new)
        self.forget_lists()
        inbox = await self.open(INBOX)
        try:
            await inbox.move((await inbox.rows()).uids, new)
        except MailError:
            for depth in range(len(new), 0, -1):
                if new[:depth] not in before:
                    await self.delete(new[:depth])
            raise
        finally:
            await inbox.close()

    async def subscribe(self, path: Path) -> None:
        self.files.place.check(path)
        await self._in_thread(tree.subscription, path, True)
        self.files.told_here(None)

    async def unsubscribe(self, path: Path) -> None:
        await self._in_thread(tree.subscription, path, False)
        self.files.told_here(None)

    def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        async def run() -> Any:
            return await self.files.thread(work, self.files, *arguments)

        return self.files.turn(run)

    async def watch(
        self, changed: Callable[[Path | None], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        return await self.files.changes.watch(changed)

    # -- what is in it --------------------------------------------------------

    async def status(self, path: Path) -> MailboxStatus:
        files = self.files
        live, rested = files.live.get(path), self._rested.get(path)
        if live is None and rested is not None and files.unchanged(rested):
            return rested.status
        if live is None or not files.unchanged(live):
            live = await files.turn(lambda: files.opened(path))
            self._rested.put_away(files.live)
        return live.status()

    def session(self, live: Live, path: Path, read_only: bool) -> MaildirMailbox:
        """A hold on this mailbox."""
        return MaildirMailbox(self, live, path, read_only)

    async def open(self, path: Path, *, read_only: bool = False) -> MaildirMailbox:
        live = self.files.live.get(path)
        if live is not None and self.files.unchanged(live):
            return self.session(live, path, read_only)

        async def opened() -> MaildirMailbox:
            live = await self.files.opened(path)
            return self.session(live, path, read_only)

        return await self.files.turn(opened)

    def upload(self, path: Path = INBOX) -> MaildirUpload:
        maildir = self.files.maildir
        draft = os.path.join(maildir, "tmp", self.names.draft())
        # The first thing a new account gets may be a large message.
        make_folder = partial(folders.make, maildir, INBOX)
        return MaildirUpload(self.spooler.spool(draft, make_folder=make_folder))

    async def append(
        self, path: Path, messages: Sequence[tuple[IUpload, Flags, int | None]]
    ) -> Appended:
        return await self.taken(
            messages, lambda uploads: transfer.append(self, path, uploads)
        )

    async def taken(
        self,
        messages: Sequence[tuple[IUpload, Flags, int | None]],
        work: Callable[[list[transfer.Upload]], Awaitable[Appended]],
    ) -> Appended:
        """What `work` makes of the uploads in a turn; in the end they are spent."""
        now = int(time.time())
        uploads = []
        try:
            for upload, flags, date in messages:
                if not isinstance(upload, MaildirUpload):
                    raise MailError("The octets were uploaded to another store")
                spool = upload.spool
                await spool.settled()
                if spool.fault is not None:
                    raise durable.fault_of(spool.fault)
                uploads.append((spool, flags, now if date is None else date))
        except BaseException:
            _abort(messages)
            raise

        async def run() -> Appended:
            try:  # the turn may run its work again, so the octets stay until it ends
                return await self.files.turn(lambda: work(uploads))
            finally:
                _abort(messages)

        return await shielded(Deferred.fromCoroutine(run()))

    # -- keys that authorize URLs ---------------------------------------------

    async def access_key(self, path: Path, *, make: bool = False) -> bytes | None:
        files = self.files

        def find(row_id: int) -> bytes | None:
            with files.state.transaction():
                key = state_keys.access_key(files.state, row_id)
                if key is None and make:
                    key = secrets.token_bytes(KEY_OCTETS)
                    state_keys.set_access_key(files.state, row_id, key)
            return key

        async def run() -> bytes | None:
            live = await files.opened(path)
            return await files.thread(find, live.row.id)

        return await files.turn(run)

    async def reset_access_keys(self, path: Path | None = None) -> None:
        files = self.files

        def reset(row_id: int | None) -> None:
            with files.state.transaction():
                if row_id is None:
                    state_keys.forget_access_keys(files.state)
                else:
                    key = secrets.token_bytes(KEY_OCTETS)
                    state_keys.set_access_key(files.state, row_id, key)

        async def run() -> None:
            live = None if path is None else await files.opened(path)
            await files.thread(reset, None if live is None else live.row.id)

        await files.turn(run)

    async def check(self, *, repair: bool = False, quick: bool = False) -> Checked:
        return await Check(self, repair=repair, quick=quick).run()

    async def index_text(self, anew: bool = False) -> TextFigures:
        return await self.indexer.account(self, anew=anew)

    # -- annotations ----------------------------------------------------------

    async def metadata(
        self, path: Path | None, names: Sequence[str] = ()
    ) -> list[Annotation]:
        found: list[Annotation] = await self._in_thread(metadata.listed, path, names)
        return found

    async def set_metadata(
        self, path: Path, values: Sequence[tuple[str, bytes | None]], most: int
    ) -> None:
        try:
            await self._in_thread(metadata.change, path, values, most)
        finally:
            self.forget_lists()
        self.files.told_here(ACCOUNT)

    # -- scripts --------------------------------------------------------------

    async def scripts(self) -> list[ScriptInfo]:
        found: list[ScriptInfo] = await self._in_thread(scripts.listed)
        return found

    async def script(self, name: str) -> bytes:
        found: bytes = await self._in_thread(scripts.script, name)
        return found

    async def put_script(self, name: str, octets: bytes, most: int) -> None:
        await self._in_thread(scripts.put, name, octets, most)

    async def remove_script(self, name: str) -> None:
        await self._in_thread(scripts.remove, name)

    async def rename_script(self, old: str, new: str) -> None:
        await self._in_thread(scripts.rename, old, new)

    async def activate_script(self, name: str | None) -> None:
        await self._in_thread(scripts.activate, name)

    # -- rights ---------------------------------------------------------------

    @property
    def owner(self) -> str:
        return self.files.account.name

    async def lists(self) -> dict[Path, dict[str, Rights]]:
        found: dict[Path, dict[str, Rights]] = await self._in_thread(rights.all_lists)
        return found

    async def rights(self, path: Path) -> dict[str, Rights]:
        found: dict[str, Rights] = await self._in_thread(rights.list_of, path)
        return found

    async def set_rights(
        self,
        path: Path,
        identifier: str,
        wanted: RightsChange,
        default: Entries | None = None,
    ) -> None:
        try:
            await self._in_thread(rights.change_list, path, identifier, wanted, default)
        finally:
            self._renamed()


def _abort(messages: Sequence[tuple[IUpload, Flags, int | None]]) -> None:
    for upload, _, _ in messages:
        upload.abort()


def _listed(files: AccountFiles) -> Listing:
    return files.lister.listed()
