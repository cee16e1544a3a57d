"""What mailboxes were counted with, and their limits, in an account's state database.

Everything here runs in a thread; what writes is called inside a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from ..mailbox.model import Limits, Path, covers
from .state import State
from .state_paths import path_text


def counted(state: State, row_id: int) -> tuple[int, int]:
    """Octets and messages of a mailbox; zeros if it was not counted."""
    found = state.db.execute(
        "SELECT octets, messages FROM counted WHERE mailbox = ?", (row_id,)
    ).fetchone()
    return (0, 0) if found is None else (found[0], found[1])


def of_rows(state: State, row_id: int) -> tuple[int, int]:
    """Octets and messages of the rows of a mailbox."""
    found = state.db.execute(
        "SELECT coalesce(sum(file_octets), 0), count(*) FROM messages"
        " WHERE mailbox = ?",
        (row_id,),
    ).fetchone()
    return found[0], found[1]


def of_bases(state: State, row_id: int, bases: Sequence[str]) -> tuple[int, int]:
    """As `of_rows`, of these messages only."""
    if not bases:
        return 0, 0
    found = state.db.execute(
        "SELECT coalesce(sum(file_octets), 0), count(*) FROM messages"
        " WHERE mailbox = ? AND base IN (SELECT value FROM json_each(?))",
        (row_id, json.dumps(bases)),
    ).fetchone()
    return found[0], found[1]


def set_counted(state: State, row_id: int, octets: int, messages: int) -> None:
    state.db.execute(
        "INSERT OR REPLACE INTO counted VALUES (?, ?, ?)", (row_id, octets, messages)
    )


def set_all_counted(state: State, counts: Iterable[tuple[int, int, int]]) -> None:
    """(mailbox, octets, messages) of all mailboxes, in place of what was there."""
    state.db.execute("DELETE FROM counted")
    state.db.executemany("INSERT INTO counted VALUES (?, ?, ?)", counts)


def limits(state: State) -> dict[Path, Limits]:
    """Of single mailboxes."""
    rows = state.db.execute("SELECT * FROM mailbox_limits")
    return {tuple(json.loads(path)): Limits(*each) for path, *each in rows}


def set_limits(state: State, path: Path, wanted: Limits) -> None:
    """Without any limit the mailbox is no root any more."""
    state.retell()
    if wanted.any:
        values = path_text(path), wanted.octets, wanted.messages, wanted.mailboxes
        state.db.execute(
            "INSERT OR REPLACE INTO mailbox_limits VALUES (?, ?, ?, ?)", values
        )
    else:
        state.db.execute(
            "DELETE FROM mailbox_limits WHERE path = ?", (path_text(path),)
        )


def rename_limits(state: State, old: Path, new: Path) -> bool:
    """The limits of `old` and its inferiors go with them; False if there are none."""
    held = limits(state)
    moving = {path: each for path, each in held.items() if covers(old, path)}
    for path in moving:
        set_limits(state, path, Limits())
    for path, each in moving.items():
        set_limits(state, new + path[len(old) :], each)
    return bool(moving)
