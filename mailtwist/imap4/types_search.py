"""SEARCH, SORT and THREAD as values."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from attrs import frozen

from ..mailbox.model import Path
from ..search_key import SearchKey
from ..sort_key import SortCriterion, ThreadAlgorithm

if TYPE_CHECKING:
    from .types import FetchAttribute


class SearchReturn(Enum):
    """search-return-opt (RFC 4731 §3.1)."""

    MIN = "MIN"
    MAX = "MAX"
    ALL = "ALL"
    COUNT = "COUNT"
    RELEVANCY = "RELEVANCY"  # RFC 6203 §4
    SAVE = "SAVE"  # RFC 5182 §2.1
    CONTEXT = "CONTEXT"  # a hint that asks for nothing (RFC 5267 §4.2)


@frozen
class PartialRange:
    """partial-range (RFC 9394 §4): results `low` to `high`, 1 the first of them, or
    with `from_end` the last."""

    low: int
    high: int
    from_end: bool = False

    def __len__(self) -> int:
        return self.high - self.low + 1

    def of(self, found: list[int]) -> list[int]:
        """That part of all results, in their order."""
        if not self.from_end:
            return found[self.low - 1 : self.high]
        count = len(found)
        return found[max(count - self.high, 0) : max(count - self.low + 1, 0)]

    def encode(self) -> bytes:
        sign = b"-" if self.from_end else b""
        return b"%b%d:%b%d" % (sign, self.low, sign, self.high)


@frozen
class Update:
    """UPDATE (RFC 5267 §4.3): the client wants to hear how the results change, and
    these attributes of new messages among them (RFC 5465 §7)."""

    attributes: tuple[FetchAttribute, ...] = ()


@frozen
class Returns:
    """search-return-opts; RETURN () comes as {ALL}."""

    options: frozenset[SearchReturn] = frozenset({SearchReturn.ALL})
    partial: PartialRange | None = None
    update: Update | None = None

    def asks(self, option: SearchReturn) -> bool:
        return option in self.options

    @property
    def tells(self) -> bool:
        """True if there is an ESEARCH to tell: not for SAVE alone (RFC 5182 §2.2)."""
        return self.partial is not None or self.options != {SearchReturn.SAVE}


@frozen
class Search:
    """SEARCH (§6.4.4).

    `returns` is None for the answer `* SEARCH`, else what `* ESEARCH` shall say.
    `uses_modseq`: a MODSEQ key is somewhere in `key`, so the answer carries the highest
    MODSEQ of the result (RFC 7162 §3.1.5).
    """

    key: SearchKey
    returns: Returns | None = None
    uses_modseq: bool = False
    uid: bool = False
    uses_fuzzy: bool = False  # a FUZZY key is in it, so that there are scores
    uses_filter: bool = False  # a FILTER key is in it, which has to be put in first


class SearchSource(Enum):
    """filter-mailboxes, as ESEARCH has it (RFC 7377 §2.2)."""

    SELECTED = "SELECTED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    SUBTREE_ONE = "SUBTREE-ONE"
    MAILBOXES = "MAILBOXES"


@frozen
class MultiSearch:
    """ESEARCH (RFC 7377 §2): `search` in each mailbox of `sources`, which have paths
    if they are MAILBOXES or a SUBTREE."""

    sources: tuple[tuple[SearchSource, tuple[Path, ...]], ...]
    search: Search


@frozen
class Sort:
    """SORT (RFC 5256 §3) of what `search` finds, with its `returns` (RFC 5267 §3)."""

    criteria: tuple[SortCriterion, ...]
    search: Search


@frozen
class Thread:
    """THREAD (RFC 5256 §3) of what `search` finds."""

    algorithm: ThreadAlgorithm
    search: Search
