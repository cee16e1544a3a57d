"""Which messages readers of a shared mailbox have seen, in the owner's state database.

Everything here runs in a thread; what writes is called inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..seqset import SequenceSet
from .state import State


def seen_by(state: State, row_id: int, reader: str) -> set[int]:
    """UIDs, some of which may be gone."""
    found = state.db.execute(
        "SELECT uids FROM seen WHERE mailbox = ? AND reader = ?", (row_id, reader)
    ).fetchone()
    uids: set[int] = set()
    for part in () if found is None else found[0].split(","):
        low, _, high = part.partition(":")
        uids.update(range(int(low), int(high or low) + 1))
    return uids


def put(state: State, row_id: int, reader: str, uids: Iterable[int]) -> None:
    """In place of what was there."""
    text = SequenceSet.of_numbers(uids).encode().decode() if uids else ""
    if text:
        state.db.execute(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (row_id, reader, text)
        )
    else:
        state.db.execute(
            "DELETE FROM seen WHERE mailbox = ? AND reader = ?", (row_id, reader)
        )
