"""An IAccountIMAP as IMailboxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import formatdate
from tempfile import SpooledTemporaryFile
from typing import Any

from zope.interface import implementer

from ..errors import (
    MailboxExists,
    MailboxHasChildren,
    MailError,
    NoSuchMailbox,
    NotPermitted,
)
from ..flags import Flags
from .foreign_asked import MOST_IN_MEMORY, asked
from .foreign_imap_mailbox import ForeignMailbox
from .interfaces import IMailboxes, IUpload
from .model import (
    INBOX,
    Annotation,
    Appended,
    Limits,
    MailboxInfo,
    MailboxStatus,
    Path,
    Quota,
    Usage,
)

# What the interfaces have no words for: UIDs of new messages, several of them or a move
# or a replacement that is whole, numbers of changes that outlive a session, uses of
# mailboxes, identifiers that stay, when a message was saved, and annotations.
# IMAP4rev2 has most of it.
MISSING = frozenset(
    ["UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC", "SPECIAL-USE", "CREATE-SPECIAL-USE"]
    + ["MULTIAPPEND", "REPLACE", "IMAP4rev2", "OBJECTID", "SAVEDATE"]
    + ["URLAUTH", "URLAUTH=BINARY", "NOTIFY"]
    + ["METADATA", "METADATA-SERVER", "LIST-METADATA", "FILTERS"]
    + ["QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "QUOTA=RES-MAILBOX"]
)


@implementer(IUpload)
class ForeignUpload:
    """See IUpload; large messages go to a file."""

    def __init__(self) -> None:
        self.octets = 0
        # The avatar reads it after this object let go.
        self.file: Any = SpooledTemporaryFile(MOST_IN_MEMORY)  # noqa: SIM115

    def write(self, octets: bytes) -> None:
        self.octets += len(octets)
        self.file.write(octets)

    async def shelve(self) -> None:
        """Only one message comes at a time: there is no MULTIAPPEND."""

    def abort(self) -> None:
        self.file.close()


@implementer(IMailboxes)
class ForeignMailboxes:
    """Names are split at the delimiter that the avatar's mailboxes name."""

    def __init__(self, avatar: Any) -> None:
        self._avatar = avatar
        self._names: dict[Path, str] = {INBOX: "INBOX"}
        self._delimiter = "/"

    async def listed(self) -> list[MailboxInfo]:
        found: dict[Path, MailboxInfo] = {INBOX: MailboxInfo(INBOX, "")}
        for name, box in await asked(self._avatar.listMailboxes, "", "*"):
            name = name.decode() if isinstance(name, bytes) else name
            delimiter = await asked(box.getHierarchicalDelimiter)
            if isinstance(delimiter, bytes):
                delimiter = delimiter.decode()
            self._delimiter = delimiter or self._delimiter
            path = tuple(name.split(delimiter)) if delimiter else (name,)
            if path[0].upper() == "INBOX":
                path = ("INBOX", *path[1:])
            if not all(path):
                continue  # a name that clients could not say
            self._names[path] = name
            flags = {str(flag).lower() for flag in await asked(box.getFlags)}
            found[path] = MailboxInfo(
                path,
                name,
                selectable="\\noselect" not in flags,
                subscribed=bool(await asked(self._avatar.isSubscribed, name)),
                marked="\\marked" in flags,
            )
        return [found[p] for p in sorted(found, key=lambda p: (p[:1] != INBOX, p))]

    async def create(
        self, path: Path, special_uses: frozenset[str] = frozenset()
    ) -> str:
        if special_uses:
            raise NotPermitted("Mailboxes of this account have no special uses")
        name = self._name(path)
        if await asked(self._avatar.create, name) is False:
            raise MailboxExists()
        return name

    async def delete(self, path: Path) -> None:
        if path == INBOX:
            raise NotPermitted("INBOX cannot be deleted")
        children = [p for p in self._names if p != path and p[: len(path)] == path]
        if children and path not in self._names:
            raise MailboxHasChildren()
        await self._change(self._avatar.delete, self._name(path))
        self._names.pop(path, None)

    async def rename(self, old: Path, new: Path) -> None:
        await self._change(self._avatar.rename, self._name(old), self._name(new))
        self._names = {INBOX: "INBOX"}

    async def subscribe(self, path: Path) -> None:
        await asked(self._avatar.subscribe, self._name(path))

    async def unsubscribe(self, path: Path) -> None:
        await asked(self._avatar.unsubscribe, self._name(path))

    async def _change(self, change: Any, *arguments: str) -> None:
        """Raises NotPermitted if the avatar says that it did not."""
        if await asked(change, *arguments) is False:
            raise NotPermitted("The mailbox cannot be changed so")

    def _name(self, path: Path) -> str:
        return self._names.get(path) or self._delimiter.join(path)

    # -- what is in them --------------------------------------------------------

    async def status(self, path: Path) -> MailboxStatus:
        mailbox = await self.open(path, read_only=True)
        try:
            return await mailbox.status()
        finally:
            await mailbox.close()

    async def open(self, path: Path, *, read_only: bool = False) -> ForeignMailbox:
        box = await self._select(path, writable=not read_only)
        return await ForeignMailbox.load(self, box, path, read_only)

    async def _select(self, path: Path, *, writable: bool) -> Any:
        box = await asked(self._avatar.select, self._name(path), writable)
        if box is None:
            raise NoSuchMailbox()
        return box

    def upload(self, path: Path = INBOX) -> ForeignUpload:
        return ForeignUpload()

    async def append(
        self, path: Path, messages: Sequence[tuple[IUpload, Flags, int | None]]
    ) -> Appended:
        """No UIDs are known of what was appended."""
        box = await self._select(path, writable=True)
        for upload, flags, date in messages:
            if not isinstance(upload, ForeignUpload):
                raise MailError("The octets were uploaded to another store")
            upload.file.seek(0)
            await self.add(box, upload.file, flags, date)
            upload.abort()
        return Appended(int(await asked(box.getUIDValidity)), [])

    async def add(self, box: Any, file: Any, flags: Flags, date: int | None) -> None:
        when = formatdate(date)
        await asked(box.addMessage, file, tuple(sorted(flags)), when)

    async def target(self, path: Path) -> Any:
        """The avatar's mailbox for messages that come from another."""
        return await self._select(path, writable=True)

    async def access_key(self, path: Path, *, make: bool = False) -> bytes | None:
        """There is no place for keys."""
        if make:
            raise NotPermitted()
        return None

    async def reset_access_keys(self, path: Path | None = None) -> None:
        raise NotPermitted()

    async def metadata(
        self, path: Path | None, names: Sequence[str] = ()
    ) -> list[Annotation]:
        return []

    async def set_metadata(
        self, path: Path, values: Sequence[tuple[str, bytes | None]], most: int
    ) -> None:
        raise NotPermitted("Mailboxes of this account have no annotations")

    async def usage(self) -> Usage:
        """Avatars tell of no limit."""
        return Usage(0, 0, None)

    async def quotas(self, path: Path | None = None) -> list[Quota]:
        return []

    async def set_limits(self, path: Path, limits: Limits) -> None:
        raise NotPermitted("Mailboxes of this account have no limits")

    async def fits(self, path: Path, octets: int, messages: int = 1) -> bool:
        """Until the avatar says otherwise."""
        return True

    async def recount(self) -> Usage:
        return await self.usage()

    async def watch(
        self, changed: Callable[[Path | None], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        raise NotPermitted("Changes of this account cannot be told")
