"""Annotations in the state database of an account (RFC 5464).

Everything here runs in a thread; what writes is called inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..mailbox.metadata import annotation_of_uses
from ..mailbox.model import Annotation
from .state import MailboxRow, State


def of_account(state: State) -> list[Annotation]:
    rows = state.db.execute("SELECT name, value FROM account_metadata")
    return [Annotation((), *row) for row in rows]


def of_mailboxes(state: State, rows: Iterable[MailboxRow]) -> list[Annotation]:
    """With the special uses of each."""
    rows = list(rows)
    (one,) = rows if len(rows) == 1 else (None,)
    select = "SELECT mailbox, name, value FROM metadata"
    if one is None:
        found = state.db.execute(select)
    else:
        found = state.db.execute(f"{select} WHERE mailbox = ?", (one.id,))
    paths = {row.id: row.path for row in rows}
    annotations = [
        Annotation(paths[row_id], name, value)
        for row_id, name, value in found
        if row_id in paths
    ]
    for row in rows:
        annotations += annotation_of_uses(row.path, row.special_uses)
    return annotations


def changes(state: State) -> int:
    """How often `change` was called, by whatever process."""
    (count,) = state.db.execute("SELECT changes FROM metadata_changes").fetchone()
    return int(count)


def change(
    state: State, row: MailboxRow | None, put: Mapping[str, bytes], gone: Iterable[str]
) -> None:
    """Of a mailbox, or with None of the account."""
    state.retell()
    state.db.execute("UPDATE metadata_changes SET changes = changes + 1")
    if row is None:
        state.db.executemany(
            "INSERT OR REPLACE INTO account_metadata VALUES (?, ?)", put.items()
        )
        state.db.executemany(
            "DELETE FROM account_metadata WHERE name = ?", [(name,) for name in gone]
        )
        return
    state.db.executemany(
        "INSERT OR REPLACE INTO metadata VALUES (?, ?, ?)",
        [(row.id, name, value) for name, value in put.items()],
    )
    state.db.executemany(
        "DELETE FROM metadata WHERE mailbox = ? AND name = ?",
        [(row.id, name) for name in gone],
    )
