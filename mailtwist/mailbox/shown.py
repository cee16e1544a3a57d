"""Messages as one client may see them: as they are, or surrogates (RFC 6855 §7).

A client without UTF-8 gets the surrogate of a message with UTF-8 in its headers: all of
its columns, its octets and its size agree.  Other messages cost a look at a column that
is empty, and none at all where all octets of the message turn out to be ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from ..mime.surrogate import COLUMNS, Surrogate
from .interfaces import IMailbox
from .model import Column, MessageRows, Range

_COLUMNS = frozenset(COLUMNS)
MOST_KNOWN = 10_000  # messages that are remembered


class Shown:
    """The messages of a mailbox; one command at a time.

    `exchanged` holds the UIDs of those that were shown as surrogates; who tells of them
    clears it.
    """

    def __init__(self, mailbox: IMailbox, *, utf8: bool) -> None:
        self._mailbox, self.utf8 = mailbox, utf8
        self._known: dict[int, Surrogate | None] = {}
        self.exchanged: set[int] = set()

    async def rendered(
        self, uids: Sequence[int], columns: Sequence[Column], *, sizes: bool = False
    ) -> Sequence[tuple[bytes, ...] | None]:
        """As IMailbox.rendered; `sizes`: `sized` will be asked about them too."""
        if self.utf8:
            return await self._rendered(uids, columns)
        if not sizes and _COLUMNS.isdisjoint(columns):
            return await self._rendered(uids, columns)
        self._known.clear()  # the command is at other messages now
        return await self._exchanging(uids, columns)

    async def _exchanging(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> Sequence[tuple[bytes, ...] | None]:
        found = await self._rendered(uids, (*columns, Column.SURROGATE))
        if not any(one is None or one[-1] for one in found):
            self._known.update(dict.fromkeys(uids))
            return [one[:-1] for one in found if one is not None]
        return [
            None if one is None else self._exchanged(uid, columns, one)
            for uid, one in zip(uids, found, strict=True)
        ]

    async def _rendered(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> Sequence[tuple[bytes, ...] | None]:
        if not columns:
            return [()] * len(uids)
        found: list[tuple[bytes, ...] | None]
        found = await self._mailbox.rendered(uids, columns)
        return found

    def _exchanged(
        self, uid: int, columns: Sequence[Column], found: tuple[bytes, ...]
    ) -> tuple[bytes, ...]:
        if not found[-1]:
            self._known[uid] = None
            return found[:-1]
        shown = self._known[uid] = Surrogate.decode(found[-1])
        self.exchanged.add(uid)
        pairs = zip(columns, found, strict=False)
        return tuple([shown.columns.get(column, own) for column, own in pairs])

    def sized(self, rows: MessageRows) -> MessageRows:
        """`rows` with the sizes that the client is shown."""
        if not any(self._known.values()):
            return rows
        octets = [
            size + self._growth(uid)
            for uid, size in zip(rows.uids, rows.octets, strict=True)
        ]
        return evolve(rows, octets=octets)

    def _growth(self, uid: int) -> int:
        shown = self._known.get(uid)
        return 0 if shown is None else shown.edits.growth

    async def octets(self, ranges: Sequence[Range]) -> Sequence[bytes | None]:
        """As IMailbox.octets, with offsets in what the client is shown."""
        if self.utf8:
            return await self._octets(ranges)
        await self._learn([one.uid for one in ranges])
        if not any(self._known.get(one.uid) for one in ranges):
            return await self._octets(ranges)
        return await self._put_together(ranges)

    def source(self, asked: Range) -> Range:
        """Where the body of a part without parts is in the message, of which this is
        the range in what the client is shown."""
        for piece in self._pieces(asked):
            if isinstance(piece, Range):
                return piece
        return asked

    async def messages(self, ranges: Sequence[Range]) -> Sequence[bytes | None]:
        """Whole messages; `ranges` are those of the messages as they are, not `sized`
        unless that was asked for."""
        found = list(await self._octets(ranges))
        if self.utf8:
            return found
        eight_bit = [
            at for at, octets in enumerate(found) if octets and not octets.isascii()
        ]
        await self._learn([ranges[at].uid for at in eight_bit])
        for at in eight_bit:
            one = ranges[at]
            shown = self._known.get(one.uid)
            if shown is not None:
                count = len(found[at] or b"") + shown.edits.growth
                (found[at],) = await self._put_together([Range(one.uid, 0, count)])
        return found

    async def _learn(self, uids: Sequence[int]) -> None:
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        unknown = sorted({uid for uid in uids if uid not in self._known})
        if unknown:
            await self._exchanging(unknown, ())

    async def _put_together(self, ranges: Sequence[Range]) -> list[bytes | None]:
        pieces = [list(self._pieces(one)) for one in ranges]
        wanted = [one for some in pieces for one in some if isinstance(one, Range)]
        read = iter(await self._octets(wanted))
        found: list[bytes | None] = []
        for some in pieces:
            parts = [next(read) if isinstance(one, Range) else one for one in some]
            whole = [part for part in parts if part is not None]
            found.append(b"".join(whole) if len(whole) == len(parts) else None)
        return found

    def _pieces(self, asked: Range) -> Sequence[bytes | Range]:
        shown = self._known.get(asked.uid)
        if shown is None or asked.count is None:
            return [asked]
        return [
            piece if isinstance(piece, bytes) else Range(asked.uid, *piece)
            for piece in shown.edits.pieces(asked.start, asked.count)
        ]

    async def _octets(self, ranges: Sequence[Range]) -> Sequence[bytes | None]:
        if not ranges:
            return []
        found: list[bytes | None] = await self._mailbox.octets(ranges)
        return found
