"""The results of a search that a client is kept up to date of (RFC 5267 §4.3).

A *context* is the search, made independent of message numbers, and its results.  What
is told of a change are moves: a position and UIDs to take out from there, or to put in
there.  Results of SEARCH are in mailbox order, which the client keeps by itself at
position 0; those of SORT have positions from 1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from attrs import define

from ..search_key import And, Fuzzy, HasFlag, InSequence, InUid, ModSeq, Not, Or, Saved
from ..search_key import SearchKey as Key
from ..seqset import STAR, SequenceSet
from ..sort_key import SortCriterion
from .types import FetchAttribute

Move = tuple[int, list[int]]  # a position and UIDs


@define(eq=False)
class Context:
    """`uid`: the client wants UIDs; `criteria`: of a SORT; `attributes`: to be fetched
    of new messages; `found`: UIDs, ascending or as sorted."""

    key: Key
    uid: bool
    criteria: tuple[SortCriterion, ...] | None
    attributes: tuple[FetchAttribute, ...]
    found: list[int]

    def holds(self, uids: Iterable[int]) -> set[int]:
        """Those of `uids` that are among the results."""
        if self.criteria is not None:
            return set(uids).intersection(self.found)
        found, count = self.found, len(self.found)
        return {
            uid
            for uid in uids
            if (at := bisect_left(found, uid)) < count and found[at] == uid
        }

    def take_out(self, gone: set[int]) -> list[Move]:
        """Forget these results; the moves of REMOVEFROM."""
        if not gone:
            return []
        moves: list[Move] = []
        if self.criteria is None:
            moves.append((0, sorted(gone)))
        else:
            moves = _runs(self.found, gone)
            moves.reverse()  # so that no move shifts the position of another
        self.found = [uid for uid in self.found if uid not in gone]
        return moves

    def put_in(self, order: list[int], new: set[int]) -> list[Move]:
        """The results are `order` now, `new` among them; the moves of ADDTO."""
        self.found = order
        if not new:
            return []
        return [(0, sorted(new))] if self.criteria is None else _runs(order, new)

    @property
    def volatile(self) -> bool:
        """True if what becomes of a message can move it in or out."""
        return _volatile(self.key)


def _runs(order: Sequence[int], some: set[int]) -> list[Move]:
    """Stretches of `order` that are all in `some`, with their positions from 1."""
    runs: list[Move] = []
    last = 0
    for place, uid in enumerate(order, 1):
        if uid in some:
            if runs and last == place - 1:
                runs[-1][1].append(uid)
            else:
                runs.append((place, [uid]))
            last = place
    return runs


def _volatile(key: Key) -> bool:
    match key:
        case HasFlag() | ModSeq():
            return True
        case Not(inner) | Fuzzy(inner):
            return _volatile(inner)
        case Or(left, right):
            return _volatile(left) or _volatile(right)
        case And(keys):
            return any(map(_volatile, keys))
    return False


def fixed(
    key: Key,
    view: Sequence[int],
    uids_of: Callable[[SequenceSet], list[int]],
    saved: Sequence[int],
) -> Key:
    """The search with numbers, "$" and "*" read as they are now (RFC 5267 §4.3).

    "*" behind a colon stays open, so that new messages are in the set.
    """

    def fix(key: Key) -> Key:
        match key:
            case InSequence(numbers):
                return InUid(SequenceSet.of_numbers(uids_of(numbers)))
            case Saved():
                return InUid(SequenceSet.of_numbers(saved))
            case InUid(uids):
                last = view[-1] if view else 0
                return InUid(_opened(uids, last))
            case Not(inner):
                return Not(fix(inner))
            case Fuzzy(inner):
                return Fuzzy(fix(inner))
            case Or(left, right):
                return Or(fix(left), fix(right))
            case And(keys):
                return And(tuple(map(fix, keys)))
        return key

    return fix(key)


def _opened(uids: SequenceSet, last: int) -> SequenceSet:
    if not uids.ranges or uids.ranges[-1][1] != STAR:
        return uids
    *others, (low, _) = uids.ranges
    if low == STAR:
        return SequenceSet.of([*others, (last, last)] if last else others)
    if last:
        low = min(low, last)
    return SequenceSet.of([*others, (low, STAR - 1)])
