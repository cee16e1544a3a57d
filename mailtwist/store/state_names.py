"""What the state database says of every name, for a listing; in a thread."""

from __future__ import annotations

from ..mailbox.model import Path
from .state import State
from .state_paths import paths_of

_NO_USES: frozenset[str] = frozenset()


def version(state: State) -> tuple[int, int, int]:
    """Another one after names, special uses or subscriptions changed; and after
    another connection changed anything."""
    (seen,) = state.db.execute("PRAGMA data_version").fetchone()
    return state.opens, seen, state.renamed


def names(state: State) -> dict[Path, tuple[str, frozenset[str]]]:
    """Object id and special uses of every mailbox."""
    rows = state.db.execute("SELECT path, object_id, special_uses FROM mailboxes")
    held = rows.fetchall()
    told = [
        (object_id, frozenset(uses.split()) if uses else _NO_USES)
        for _, object_id, uses in held
    ]
    return dict(zip(paths_of(row[0] for row in held), told, strict=True))
