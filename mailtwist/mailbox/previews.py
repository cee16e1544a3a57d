"""Previews of messages (RFC 8970), made of the index and a little of each body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ..errors import BadMessage
from ..mime.part import Part
from ..mime.preview import octets_of, preview, shown_part
from .interfaces import IMailbox
from .model import Column, Range

BATCH_OCTETS = 1 << 20  # of bodies in memory


async def _nothing() -> None:
    return None


async def previews(
    mailbox: IMailbox,
    uids: Sequence[int],
    pause: Callable[[], Awaitable[None]] = _nothing,
) -> dict[int, bytes]:
    """By UID, in UTF-8; b"" where there is nothing to show.

    `pause` is awaited after each message.  Those that are gone are left out.
    """
    made: dict[int, bytes] = {}
    batch: list[tuple[Part, Range]] = []
    room = BATCH_OCTETS
    for uid, row in zip(
        uids, await mailbox.rendered(uids, (Column.PARTS,)), strict=True
    ):
        if row is None:
            continue
        try:
            part = shown_part(Part.decode(row[0]))
        except BadMessage:
            part = None
        await pause()
        if part is None:
            made[uid] = b""
            continue
        batch.append((part, Range(uid, part.body[0], octets_of(part))))
        room -= octets_of(part)
        if room <= 0:
            made |= await _read(mailbox, batch, pause)
            batch, room = [], BATCH_OCTETS
    if batch:
        made |= await _read(mailbox, batch, pause)
    return made


async def _read(
    mailbox: IMailbox,
    batch: Sequence[tuple[Part, Range]],
    pause: Callable[[], Awaitable[None]],
) -> dict[int, bytes]:
    made: dict[int, bytes] = {}
    found = await mailbox.octets([where for _, where in batch])
    for (part, where), octets in zip(batch, found, strict=True):
        if octets is not None:
            made[where.uid] = preview(part, octets)
            await pause()
    return made
