"""Lists of rights in the state database of an account (RFC 4314).

The account itself stands there as "", so that it may be renamed.  Everything here runs
in a thread; what writes is called inside a transaction.
"""

from __future__ import annotations

import json

from ..mailbox.model import Path
from ..mailbox.rights import Entries, Rights
from .state import State


def all_lists(state: State, owner: str) -> dict[Path, dict[str, Rights]]:
    """Of the mailboxes that have one."""
    found: dict[Path, dict[str, Rights]] = {}
    for path, identifier, letters in state.db.execute(
        "SELECT path, identifier, rights FROM rights JOIN mailboxes"
        " ON id = mailbox ORDER BY mailbox, identifier"
    ):
        entries = found.setdefault(tuple(json.loads(path)), {})
        entries[identifier or owner] = frozenset(letters)
    return found


def list_of(state: State, row_id: int, owner: str) -> dict[str, Rights]:
    """The account's own first, then by identifier; empty if it has none."""
    rows = state.db.execute(
        "SELECT identifier, rights FROM rights WHERE mailbox = ? ORDER BY identifier",
        (row_id,),
    )
    return {identifier or owner: frozenset(letters) for identifier, letters in rows}


def put(state: State, row_id: int, entries: Entries, owner: str) -> None:
    """In place of the list that it has."""
    state.retell()
    state.db.execute("DELETE FROM rights WHERE mailbox = ?", (row_id,))
    state.db.executemany(
        "INSERT INTO rights VALUES (?, ?, ?)",
        [
            (row_id, "" if identifier == owner else identifier, "".join(sorted(held)))
            for identifier, held in entries.items()
        ],
    )


def inherit(state: State, row_id: int, parent: int) -> None:
    """The list of another mailbox, if that has one."""
    state.retell()
    state.db.execute("DELETE FROM rights WHERE mailbox = ?", (row_id,))
    state.db.execute(
        "INSERT INTO rights SELECT ?, identifier, rights FROM rights WHERE mailbox = ?",
        (row_id, parent),
    )
