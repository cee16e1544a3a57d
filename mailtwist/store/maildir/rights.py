"""Lists of rights of an account's mailboxes; in a thread, within a turn."""

from __future__ import annotations

from ...mailbox.model import Path
from ...mailbox.rights import Entries, Rights, RightsChange, change, default_list
from .. import state_rights
from .account import AccountFiles


def all_lists(files: AccountFiles) -> dict[Path, dict[str, Rights]]:
    """See IRights.lists."""
    files.place.prepare()
    return state_rights.all_lists(files.state, files.account.name)


def list_of(files: AccountFiles, path: Path) -> dict[str, Rights]:
    """See IRights.rights."""
    files.place.prepare()
    owner = files.account.name
    with files.transaction():
        found = state_rights.list_of(files.state, files.row_of(path).id, owner)
    return found or default_list(owner)


def change_list(
    files: AccountFiles,
    path: Path,
    identifier: str,
    wanted: RightsChange,
    default: Entries | None,
) -> None:
    """See IRights.set_rights."""
    files.place.prepare()
    state, owner = files.state, files.account.name
    with files.transaction():
        row = files.row_of(path)
        entries = state_rights.list_of(state, row.id, owner)
        entries = entries or dict(default or default_list(owner))
        change(entries, identifier, wanted, owner if default is None else "")
        state_rights.put(state, row.id, entries, owner)


def copied(files: AccountFiles, source: Path, target: Path) -> None:
    """The list of a mailbox for another too."""
    with files.transaction():
        of = files.row_of(source).id
        state_rights.inherit(files.state, files.row_of(target).id, of)
