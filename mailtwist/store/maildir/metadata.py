"""Annotations of an account's mailboxes; in a thread, within a turn."""

from __future__ import annotations

from collections.abc import Sequence

from ...mailbox import metadata
from ...mailbox.model import Annotation, Path
from .. import state_metadata
from .account import AccountFiles


def listed(
    files: AccountFiles, path: Path | None, names: Sequence[str]
) -> list[Annotation]:
    """See IMailboxes.metadata."""
    files.place.prepare()
    state = files.state
    with files.transaction():
        if path == metadata.ACCOUNT:
            found = state_metadata.of_account(state)
        else:
            rows = state.mailboxes().values() if path is None else [files.row_of(path)]
            found = state_metadata.of_mailboxes(state, rows)
    return metadata.chosen(found, names)


def change(
    files: AccountFiles,
    path: Path,
    values: Sequence[tuple[str, bytes | None]],
    most: int,
) -> None:
    """See IMailboxes.set_metadata."""
    files.place.prepare()
    wanted, state = dict(values), files.state
    with files.transaction():
        if path == metadata.ACCOUNT:
            row, held, uses = None, state_metadata.of_account(state), None
        else:
            row = files.row_of(path)
            held = state_metadata.of_mailboxes(state, [row])
            uses = metadata.uses_in(wanted)
        names = [one.name for one in held if one.name != metadata.SPECIAL_USE]
        state_metadata.change(state, row, *metadata.changed(names, wanted, most))
        if row is not None and uses is not None:
            state.set_special_uses(row.id, uses)


def copied(files: AccountFiles, source: Path, target: Path) -> None:
    """What a mailbox has, but its special uses, for another too."""
    state = files.state
    with files.transaction():
        held = state_metadata.of_mailboxes(state, [files.row_of(source)])
        values = {
            one.name: one.value for one in held if one.name != metadata.SPECIAL_USE
        }
        state_metadata.change(state, files.row_of(target), values, [])
