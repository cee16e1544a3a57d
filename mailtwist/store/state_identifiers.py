"""Identifiers and threads of messages in the state database of an account.

Everything here runs in a thread; what writes is called inside a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from ..mailbox.identifiers import email_id
from .state import State


class Identifiers(NamedTuple):
    """What the state keeps of a message for those who ask."""

    email_id: str  # "" for one made of mailbox and UID
    thread_id: int  # 0 if it is not known yet
    saved_at: int


def identifiers(
    state: State, row_id: int, uids: Sequence[int]
) -> dict[int, Identifiers]:
    """Those of `uids` that are here."""
    rows = state.db.execute(
        "SELECT uid, email_id, thread_id, saved_at FROM messages"
        " WHERE mailbox = ? AND uid IN (SELECT value FROM json_each(?))",
        (row_id, json.dumps(list(uids))),
    )
    return {row[0]: Identifiers(*row[1:]) for row in rows}


def threads(state: State, keys: Collection[int]) -> dict[int, int]:
    """Threads by key, of the keys that are known."""
    rows = state.db.execute(
        "SELECT key, thread_id FROM thread_ids"
        " WHERE key IN (SELECT value FROM json_each(?))",
        (json.dumps(list(keys)),),
    )
    return dict(rows.fetchall())


def add_threads(state: State, found: Iterable[tuple[int, int]]) -> None:
    """(key, thread) pairs."""
    state.db.executemany("INSERT OR IGNORE INTO thread_ids VALUES (?, ?)", found)


def set_threads(state: State, row_id: int, found: Mapping[int, int]) -> None:
    """Threads by UID."""
    state.db.executemany(
        "UPDATE messages SET thread_id = ? WHERE mailbox = ? AND uid = ?",
        [(thread, row_id, uid) for uid, thread in found.items()],
    )


def copy(
    state: State, row_id: int, object_id: str, to_id: int, uids: Mapping[int, int]
) -> None:
    """Messages of a mailbox, which has that object id, and what they are elsewhere by
    UID: the same mail."""
    known = identifiers(state, row_id, list(uids))
    state.db.executemany(
        "UPDATE messages SET email_id = ?, thread_id = ? WHERE mailbox = ? AND uid = ?",
        [
            (
                email_id(one.email_id, object_id, uid).decode(),
                one.thread_id,
                to_id,
                uids[uid],
            )
            for uid, one in known.items()
        ],
    )
