"""Messages that go from one account to another: read here, appended there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ..errors import OverQuota
from ..flags import Flags
from .interfaces import IMailbox, IUpload
from .model import Appended, Copied, MailboxStatus, Path, Range

PIECE_OCTETS = 256 * 1024
Message = tuple[IUpload, Flags, int | None]


class Target(Protocol):
    """What SharedMailboxes gives."""

    def upload(self, path: Path) -> IUpload: ...
    async def append(self, path: Path, messages: Sequence[Message]) -> Appended: ...
    async def status(self, path: Path) -> MailboxStatus: ...
    async def fits(self, path: Path, octets: int, messages: int) -> bool: ...


async def copy(
    source: IMailbox, uids: Sequence[int], into: Target, target: Path
) -> Copied:
    """As IMailbox.copy: all or none, but those that are gone meanwhile."""
    rows = await source.rows(uids)
    # Before they are all read.
    if len(rows) and not await into.fits(target, sum(rows.octets), len(rows)):
        raise OverQuota()
    messages: list[Message] = []
    copied: list[int] = []
    try:
        for uid, octets, flags, date in zip(
            rows.uids, rows.octets, rows.flags, rows.internal_dates, strict=True
        ):
            upload = into.upload(target)
            messages.append((upload, flags, date))
            if await read_into(source, uid, octets, upload.write):
                await upload.shelve()
                copied.append(uid)
            else:
                messages.pop()
                upload.abort()
        if not copied:
            found = await into.status(target)
            return Copied(found.uid_validity, [], [])
        done = await into.append(target, messages)
    except BaseException:
        for upload, _, _ in messages:
            upload.abort()
        raise
    return Copied(done.uid_validity, copied, done.uids)


async def read_into(
    source: IMailbox,
    uid: int,
    octets: int,
    write: Callable[[bytes], Awaitable[None] | None],
) -> bool:
    """Write a message of so many octets in pieces; False if it is gone."""
    for start in range(0, octets, PIECE_OCTETS):
        asked = Range(uid, start, min(PIECE_OCTETS, octets - start))
        (piece,) = await source.octets([asked])
        if piece is None:
            return False
        waiting = write(piece)
        if waiting is not None:
            await waiting
    return True
