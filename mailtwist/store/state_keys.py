"""The keys of mailboxes that authorize URLs, in an account's state (see State)."""

from __future__ import annotations

from .state import State


def access_key(state: State, row_id: int) -> bytes | None:
    found = state.db.execute(
        "SELECT key FROM access_keys WHERE mailbox = ?", (row_id,)
    ).fetchone()
    return None if found is None else bytes(found[0])


def set_access_key(state: State, row_id: int, key: bytes) -> None:
    state.db.execute("INSERT OR REPLACE INTO access_keys VALUES (?, ?)", (row_id, key))


def forget_access_keys(state: State) -> None:
    """Of every mailbox."""
    state.db.execute("DELETE FROM access_keys")
