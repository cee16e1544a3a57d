"""What a text index can say before messages are read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence

from ..mime.text import normal
from ..search_key import And, Header, Not, Or, SearchKey
from .interfaces import IIndexedMailbox, IMailbox
from .model import TextHits, TextPlace

LEAST = 3  # characters of a needle that the index knows
APART = "\uffff"  # between texts of one message; no needle has it
FEW_EXTRACTS = 4  # asked for at once: each may have a few MiB
FEW = 100  # messages that are read as fast as the index is asked

_Ask = Callable[[str, TextPlace], Awaitable[TextHits | None]]


def indexable(needle: str) -> bool:
    """True if an index has the octets of this normalized needle as they are."""
    return "\0" not in needle and APART not in needle


class Narrowing:
    """Sets of messages made smaller by the index of a mailbox, if it has one."""

    def __init__(self, mailbox: IMailbox) -> None:
        self._indexed: IIndexedMailbox | None = None
        self._ask: _Ask | None = None
        self.used = False  # some messages were not looked at, by its word
        if IIndexedMailbox.providedBy(mailbox):
            self._indexed, self._ask = mailbox, mailbox.text_hits

    async def text(
        self, needle: str, place: TextPlace, among: set[int]
    ) -> tuple[set[int], set[int]]:
        """Those of `among` that have the normalized needle in BODY or TEXT, and those
        that the index cannot tell of."""
        if self._ask is None or len(among) <= FEW or not indexable(needle):
            return set(), among
        hits = await self._ask(needle, place)
        if hits is None:
            return set(), among
        self.used = True
        left = set(uncovered(among, hits.covered))
        return among.intersection(hits.uids) - left, left

    async def candidates(
        self, needle: str, place: TextPlace, among: set[int]
    ) -> set[int]:
        """Those of `among` that may have the normalized needle."""
        if len(needle) < LEAST:
            return among
        having, left = await self.text(needle, place, among)
        return having | left

    async def extracted(self, needle: str, among: set[int]) -> set[int]:
        """Those of `among` that may have it in what was made of their attachments."""
        if self._ask is None or len(needle) < LEAST or not indexable(needle):
            return set()
        hits = await self._ask(needle, TextPlace.EXTRACT)
        return among.intersection(hits.uids) if hits is not None else set()

    async def extracts(self, uids: Sequence[int]) -> list[str]:
        """What was made of their attachments, normalized."""
        if self._indexed is None:
            return [""] * len(uids)
        found: list[str] = []
        for start in range(0, len(uids), FEW_EXTRACTS):
            some = uids[start : start + FEW_EXTRACTS]
            found += [one or "" for one in await self._indexed.text_extracts(some)]
        return found

    async def fields(self, key: SearchKey, among: set[int]) -> set[int]:
        """Those of `among` that may match a key on header fields."""
        if self._ask is None or len(among) <= FEW:
            return among
        match key:
            case Header(_, needle):
                return await self.candidates(normal(needle), TextPlace.HEADER, among)
            case And(keys):
                for one in keys:
                    among = await self.fields(one, among)
            case Or(left, right):
                first = await self.fields(left, among)
                if len(first) < len(among):
                    return first | await self.fields(right, among - first)
            case Not():
                pass
        return among


def uncovered(uids: set[int], covered: list[int]) -> list[int]:
    """Those of `uids` outside of the ranges low, high, low, high... ascending."""
    ordered, at = sorted(uids), 0
    found: list[int] = []
    for low, high in zip(covered[::2], covered[1::2], strict=True):
        end = bisect_left(ordered, low, at)
        found += ordered[at:end]
        at = bisect_right(ordered, high, end)
    return found + ordered[at:]
