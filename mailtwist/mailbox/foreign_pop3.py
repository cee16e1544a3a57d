"""An IMailboxPOP3 as the only mailbox of an account, for POP3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any

from twisted.internet.defer import maybeDeferred
from zope.interface import implementer

from ..errors import MailboxFault, NoSuchMailbox
from ..flags import NONE
from ..foreign import IUniqueIds
from ..mime.index import index
from .foreign_asked import asked, cut, with_crlf
from .model import INBOX, Column, Expunged, MessageRows, Path, Range


async def has_unique_ids(avatar: Any) -> bool:
    """False if `getUidl` is not implemented."""
    try:
        await maybeDeferred(avatar.getUidl, 0)
    except NotImplementedError:
        return False
    except (IndexError, ValueError):  # no message is there
        return True
    return True


class ForeignMaildrops:
    """What POP3 needs of IMailboxes: INBOX alone."""

    def __init__(self, avatar: Any) -> None:
        self._avatar = avatar

    async def open(self, path: Path, *, read_only: bool = False) -> ForeignMaildrop:
        if path != INBOX:
            raise NoSuchMailbox()
        return ForeignMaildrop(self._avatar)


@implementer(IUniqueIds)
class ForeignMaildrop:
    """What POP3 needs of IMailbox; UID n is the message n - 1 of this login."""

    path, uid_validity, read_only = INBOX, 1, False

    def __init__(self, avatar: Any) -> None:
        self._avatar = avatar
        self._at: tuple[int, IO[bytes]] | None = None  # the message read last

    async def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        sizes = list(await self._ask(self._avatar.listMessages))
        every = range(1, len(sizes) + 1)
        chosen = [uid for uid in (every if uids is None else uids) if uid in every]
        count = len(chosen)
        return MessageRows(
            chosen,
            [1] * count,
            [NONE] * count,
            [sizes[uid - 1] for uid in chosen],
            [0] * count,
        )

    async def unique_ids(self) -> list[bytes]:
        """Empty if the avatar has none; its account is without UIDL then."""
        count = len(await self._ask(self._avatar.listMessages))
        if not await has_unique_ids(self._avatar):
            return []
        ids = [await self._ask(self._avatar.getUidl, i) for i in range(count)]
        return [i.encode() if isinstance(i, str) else bytes(i) for i in ids]

    async def octets(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return [await self._cut(each) for each in ranges]

    async def rendered(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[bytes, ...] | None]:
        found: list[tuple[bytes, ...] | None] = []
        for uid in uids:
            octets = await self._cut(Range(uid))
            if octets is None:
                found.append(None)
            else:
                known = index(octets)
                found.append(tuple(known.get(column, b"") for column in columns))
        return found

    async def _cut(self, wanted: Range) -> bytes | None:
        if self._at is None or self._at[0] != wanted.uid:
            try:
                file = await self._ask(self._avatar.getMessage, wanted.uid - 1)
            except MailboxFault:
                return None
            self._forget()
            self._at = wanted.uid, with_crlf(file)[0]
        return cut(self._at[1], wanted.start, wanted.count)

    async def expunge(self, uids: Sequence[int] | None = None) -> Expunged:
        """All of them at the avatar's `sync`, or none: what it cannot mark it keeps."""
        uids = list(uids or ())
        try:
            for uid in uids:
                await self._ask(self._avatar.deleteMessage, uid - 1)
        except BaseException:
            await self._ask(self._avatar.undeleteMessages)
            raise
        await self._ask(self._avatar.sync)
        return Expunged(uids, 1)

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        return lambda: None

    async def close(self) -> None:
        self._forget()

    def _forget(self) -> None:
        at, self._at = self._at, None
        if at is not None:
            at[1].close()

    async def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await asked(question, *arguments)
        except (IndexError, ValueError) as fault:  # what the interface names
            raise MailboxFault() from fault
