"""The mailboxes of an account whose agent does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...directory.model import Account
from ...errors import MailboxUnreachable, MailError, NoSuchMailbox
from ...flags import Flags
from ...mailbox.interfaces import (
    ICheckedMailboxes,
    IIndexedMailbox,
    IIndexedMailboxes,
    IReadByMany,
    IRights,
    IUpload,
)
from ...mailbox.kept_rights import KeptRights
from ...mailbox.model import (
    INBOX,
    Annotation,
    Appended,
    Changes,
    Checked,
    Column,
    Copied,
    Expunged,
    Finding,
    FlagChange,
    Listing,
    MailboxStatus,
    MessageRows,
    Path,
    Range,
    Stored,
    TextFigures,
)
from ...mailbox.rights import Entries, Rights, RightsChange
from ..maildir.domain_sum import SUM_WRONG
from .connection import Connection
from .listings import Got
from .remote_held import RemoteHeld
from .remote_index import RemoteIndex
from .remote_scripts import RemoteScripts
from .remote_writer import RemoteUpload
from .shared_limit import SharedLimits

log = Logger("mailtwist")

Result = TypeVar("Result")

INDEX_S = 24 * 3600.0  # for all texts of an account


class Reaches(Protocol):
    """What finds the agent of an account."""

    def connection(self, account: Account) -> Connection:
        """To its agent, which may be started only now.  Raises SystemBusy if there are
        too many, MailboxUnreachable."""


@implementer(IIndexedMailboxes, ICheckedMailboxes, IRights)
class RemoteMailboxes(RemoteHeld, KeptRights, RemoteScripts):
    """See IMailboxes.  Nothing at the other end belongs to it: an agent that was
    started anew is as good as the one before."""

    def __init__(
        self,
        agents: Reaches,
        account: Account,
        shared: SharedLimits | None = None,
        is_unlimited: Callable[[Account], None] = lambda account: None,
    ) -> None:
        self._agents, self.account, self._shared = agents, account, shared
        self._is_unlimited = is_unlimited
        self.keeps: Callable[[Account], None] | None = None
        self._got = Got()
        self._open: WeakSet[RemoteMailbox] = WeakSet()

    def reach(self) -> Connection:
        return self._agents.connection(self.account)

    async def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        return await self.reach().call(
            "tree", self.account, method, *arguments, **named
        )

    async def _change(self, method: str, *arguments: Any) -> Any:
        """What lists of rights depend on: nobody knows when it was done if it fails."""
        try:
            return await self._ask(method, *arguments)
        finally:
            self.forget_lists()

    async def listed(self) -> Listing:
        self._got = await self._got.renewed(self.reach(), self.account)
        return self._got.listing

    async def create(
        self, path: Path, special_uses: frozenset[str] = frozenset()
    ) -> str:
        object_id: str = await self._change("create", path, special_uses)
        return object_id

    def deletes(self) -> None:
        """The agent keeps for a while what is deleted, if the server does."""
        if self.keeps is not None and not self.account.deleted:
            self.keeps(self.account)

    async def delete(self, path: Path) -> None:
        self.deletes()
        await self.within((0, 0), self._change("delete", path))

    async def rename(self, old: Path, new: Path) -> None:
        await self._change("rename", old, new)
        if old == INBOX:
            return  # it stays
        for mailbox in self._open:
            mailbox.renamed(old, new)

    async def subscribe(self, path: Path) -> None:
        await self._ask("subscribe", path)

    async def unsubscribe(self, path: Path) -> None:
        await self._ask("unsubscribe", path)

    async def status(self, path: Path) -> MailboxStatus:
        status: MailboxStatus = await self._ask("status", path)
        return status

    async def metadata(
        self, path: Path | None, names: Sequence[str] = ()
    ) -> list[Annotation]:
        found: list[Annotation] = await self._ask("metadata", path, list(names))
        return found

    async def set_metadata(
        self, path: Path, values: Sequence[tuple[str, bytes | None]], most: int
    ) -> None:
        await self._change("set_metadata", path, list(values), most)

    @property
    def owner(self) -> str:
        return self.account.name

    async def lists(self) -> dict[Path, dict[str, Rights]]:
        found: dict[Path, dict[str, Rights]] = await self._ask("lists")
        return found

    async def rights(self, path: Path) -> dict[str, Rights]:
        found: dict[str, Rights] = await self._ask("rights", path)
        return found

    async def set_rights(
        self,
        path: Path,
        identifier: str,
        wanted: RightsChange,
        default: Entries | None = None,
    ) -> None:
        given = None if default is None else dict(default)
        await self._change("set_rights", path, identifier, wanted, given)

    async def access_key(self, path: Path, *, make: bool = False) -> bytes | None:
        key: bytes | None = await self._ask("access_key", path, make=make)
        return key

    async def reset_access_keys(self, path: Path | None = None) -> None:
        await self._ask("reset_access_keys", path)

    async def index_text(self, anew: bool = False) -> TextFigures:
        figures: TextFigures = await self.reach().call_within(
            INDEX_S, "tree", self.account, "index_text", anew
        )
        return figures

    async def check(self, *, repair: bool = False, quick: bool = False) -> Checked:
        checked: Checked = await self.reach().call_within(
            INDEX_S, "tree", self.account, "check", repair=repair, quick=quick
        )
        if not await self._sum_is_right(repair):
            checked.findings.append(Finding((), SUM_WRONG, 1, repair))
        return checked

    async def open(self, path: Path, *, read_only: bool = False) -> RemoteMailbox:
        mailbox = RemoteMailbox(self, path, read_only)
        self._open.add(mailbox)
        await mailbox.opened()
        return mailbox

    async def watch(
        self, changed: Callable[[Path | None], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        """`lost` is called when the agent is: nobody knows what happens until another
        one is asked."""
        connection = self.reach()
        return await connection.watch_tree(self.account, changed, lost)

    def upload(self, path: Path = INBOX) -> RemoteUpload:
        return RemoteUpload(self.reach, self.account)

    async def append(
        self, path: Path, messages: Sequence[tuple[IUpload, Flags, int | None]]
    ) -> Appended:
        with _taken(messages) as (connection, told):
            octets = sum(upload.octets for upload, _, _ in messages)

            async def append() -> Appended:
                there = connection or self.reach()
                done: Appended = await there.call("append", self.account, path, told)
                return done

            return await self.within((octets, len(messages)), append())


Message = tuple[IUpload, Flags, int | None]


@contextmanager
def _taken(
    messages: Sequence[Message],
) -> Iterator[tuple[Connection | None, list[tuple[int, Flags, int | None]]]]:
    """The connection that has all of the uploads, and their numbers there; whatever
    happens they are spent then."""
    told, uploads = [], []
    try:
        for upload, flags, date in messages:
            if not isinstance(upload, RemoteUpload):
                raise MailError("The octets were uploaded to another store")
            if upload.connection is None or upload.fault is not None:
                raise upload.fault or MailError()
            uploads.append(upload)
            told.append((upload.number, flags, date))
        connection = uploads[0].connection if uploads else None
        if any(upload.connection is not connection for upload in uploads):
            raise MailboxUnreachable()  # it was started anew in the middle
        yield connection, told
    except BaseException:
        for upload, _, _ in messages:
            upload.abort()
        raise
    for upload in uploads:
        upload.end()


@implementer(IIndexedMailbox, IReadByMany)
class RemoteMailbox(RemoteIndex):
    """See IMailbox.  When its agent was lost it is opened again at the next request:
    UIDs and MODSEQs are durable, so nobody but those who waited notices."""

    def __init__(self, tree: RemoteMailboxes, path: Path, read_only: bool) -> None:
        self.path = self._where = path
        self.read_only = read_only
        self.object_id, self.uid_validity = "", 0
        self._tree, self._number = tree, 0
        self._connection: Connection | None = None
        self._opening: Deferred[None] | None = None
        self._watchers: dict[int, Callable[[int], None]] = {}  # by our own number
        self._watches: dict[int, int] = {}  # ... the number at the connection
        self._closed = False

    # -- its agent ------------------------------------------------------------

    async def opened(self) -> Connection:
        """The connection on which it is open."""
        while self._connection is None or self._connection.lost:
            if self._closed:
                raise NoSuchMailbox()
            opening = self._opening
            if opening is None:
                opening = self._opening = Deferred.fromCoroutine(self._open())
                opening.addBoth(self._was_opened)
            waiter: Deferred[None] = Deferred()
            opening.addBoth(_both, waiter)
            await waiter
        return self._connection

    def _was_opened(self, result: Any) -> Any:
        self._opening = None
        return result

    async def _open(self) -> None:
        connection = self._tree.reach()
        number = next(connection.numbers)
        connection.held += 1
        try:
            told = await connection.call(
                "open", self._tree.account, number, self._where, self.read_only
            )
            _, object_id, uid_validity, read_only = told
            if self.object_id and (object_id, uid_validity) != (
                self.object_id,
                self.uid_validity,
            ):
                connection.tell("close", number)
                raise NoSuchMailbox()  # another of the same name
        except BaseException:
            connection.held -= 1
            raise
        self.read_only = read_only
        self.object_id, self.uid_validity = object_id, uid_validity
        self._connection, self._number = connection, number
        connection.when_lost.append(self._lost)
        self._watches = {
            watcher: connection.watch(number, changed)
            for watcher, changed in self._watchers.items()
        }
        if self._closed:
            self._let_go()

    def _lost(self) -> None:
        """Who watches is to look, which opens it again."""
        self._connection = None
        self._watches.clear()
        for changed in list(self._watchers.values()):
            changed(0)

    def _let_go(self) -> Deferred[Any] | None:
        connection, self._connection = self._connection, None
        if connection is None or connection.lost:
            return None
        connection.when_lost.remove(self._lost)
        connection.held -= 1
        return connection.call("close", self._number)

    async def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        connection = await self.opened()
        return await connection.call(
            "mailbox", self._number, method, *arguments, **named
        )

    def renamed(self, old: Path, new: Path) -> None:
        """A name of the account is another now."""
        depth = len(old)
        if self._where[:depth] == old:
            self._where = new + self._where[depth:]

    async def where(self) -> Path:
        return self._where

    # -- reading --------------------------------------------------------------

    async def status(self) -> MailboxStatus:
        status: MailboxStatus = await self._ask("status")
        return status

    async def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        rows: MessageRows = await self._ask("rows", _list(uids))
        return rows

    async def changes(self, modseq: int) -> Changes:
        changes: Changes = await self._ask("changes", modseq)
        return changes

    async def take_recent(self) -> int:
        first: int = await self._ask("take_recent")
        return first

    async def rendered(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[bytes, ...] | None]:
        rendered: list[tuple[bytes, ...] | None] = await self._ask(
            "rendered", _list(uids), list(columns)
        )
        return rendered

    async def octets(self, ranges: Sequence[Range]) -> list[bytes | None]:
        octets: list[bytes | None] = await self._ask("octets", list(ranges))
        return octets

    # -- changing -------------------------------------------------------------

    async def store_flags(
        self,
        uids: Sequence[int],
        change: FlagChange,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        stored: Stored = await self._ask(
            "store_flags", _list(uids), change, unchanged_since=unchanged_since
        )
        return stored

    async def copy(self, uids: Sequence[int], target: Path) -> Copied:
        more = 0, 0
        if self._tree.shares:
            more = sum((await self.rows(uids)).octets), len(uids)
        asked = self._ask("copy", _list(uids), target)
        copied: Copied = await self._tree.within(more, asked)
        return copied

    async def move(self, uids: Sequence[int], target: Path) -> Copied:
        moved: Copied = await self._ask("move", _list(uids), target)
        return moved

    async def replace(self, uid: int, target: Path, message: Message) -> Appended:
        with _taken([message]) as (connection, told):
            if await self.opened() is not connection:
                raise MailboxUnreachable()
            octets = message[0].octets
            if self._tree.shares:
                octets -= sum((await self.rows([uid])).octets)

            async def replace() -> Appended:
                done: Appended = await connection.call(
                    "replace", self._number, uid, target, told[0]
                )
                return done

            return await self._tree.within((max(0, octets), 0), replace())

    async def expunge(self, uids: Sequence[int] | None = None) -> Expunged:
        self._tree.deletes()
        asked = self._ask("expunge", _list(uids))
        expunged: Expunged = await self._tree.within((0, 0), asked)
        return expunged

    # -- readers --------------------------------------------------------------

    async def seen_by(self, reader: str) -> list[int]:
        uids: list[int] = await self._ask("seen_by", reader)
        return uids

    async def see(
        self,
        reader: str,
        uids: Sequence[int],
        seen: bool,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        stored: Stored = await self._ask(
            "see", reader, _list(uids), seen, unchanged_since=unchanged_since
        )
        return stored

    # -- watching -------------------------------------------------------------

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        watcher = max(self._watchers, default=0) + 1
        self._watchers[watcher] = changed
        if self._connection is not None:
            self._watches[watcher] = self._connection.watch(self._number, changed)
        else:
            changed(0)

        def end() -> None:
            self._watchers.pop(watcher, None)
            watch = self._watches.pop(watcher, None)
            if watch is not None and self._connection is not None:
                self._connection.end_watch(watch)

        return end

    async def close(self) -> None:
        """An agent that is gone has nothing open any more."""
        if self._closed:
            return
        self._closed = True
        for watch in self._watches.values():
            if self._connection is not None:
                self._connection.end_watch(watch)
        self._watchers.clear()
        self._watches.clear()
        closing = self._let_go()
        if closing is not None:
            try:
                await closing
            except MailError as fault:
                log.debug("closing a mailbox: {why}", why=fault.public)


def _list(uids: Sequence[int] | None) -> list[int] | None:
    return None if uids is None else list(uids)


def _both(result: Any, waiter: Deferred[None]) -> Any:
    """Give `waiter` the result too, and leave a fault to it."""
    if not waiter.called:
        waiter.callback(result)
        return None
    return None
