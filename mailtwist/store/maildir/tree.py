"""Changing the tree of an account: folders of the Maildir and rows of the state.

Everything here runs in a thread, within a turn.
"""

from __future__ import annotations

import os
import time

from ...errors import (
    BadMailboxName,
    MailboxExists,
    MailboxHasChildren,
    NoSuchMailbox,
)
from ...mailbox.model import INBOX, MailboxInfo, Path
from .. import state_rights
from . import durable, folders
from .account import AccountFiles


def listed(files: AccountFiles) -> list[MailboxInfo]:
    """See IMailboxes.listed; folders that other programs made get a row."""
    folders.make(files.maildir, INBOX)
    with files.transaction():
        present = folders.listed(files.maildir)
        rows, subscribed = files.state.mailboxes(), files.state.subscriptions()
        for path, folder in present.items():
            if path not in rows:
                rows[path] = files.adopt(path, folder)
    parents = {path[:depth] for path in present for depth in range(1, len(path))}
    found = []
    for path in sorted({*present, *parents, *subscribed}, key=_order):
        folder = present.get(path, "")
        if not folder:
            found.append(
                MailboxInfo(
                    path,
                    "",
                    selectable=False,
                    exists=path in parents,
                    subscribed=path in subscribed,
                )
            )
            continue
        found.append(
            MailboxInfo(
                path,
                rows[path].object_id,
                subscribed=path in subscribed,
                special_uses=rows[path].special_uses,
                marked=_has_files(f"{folder}/new"),
            )
        )
    return found


def create(files: AccountFiles, path: Path, special_uses: frozenset[str]) -> str:
    """See IMailboxes.create."""
    folders.check_path(path)
    if folders.present(files.maildir, path):
        raise MailboxExists()
    folders.make(files.maildir, INBOX)
    _make_parents(files, path)
    return _make(files, path, special_uses)


def _make_parents(files: AccountFiles, path: Path) -> None:
    for depth in range(1, len(path)):
        if not folders.present(files.maildir, path[:depth]):
            _make(files, path[:depth], frozenset())


def _make(files: AccountFiles, path: Path, special_uses: frozenset[str]) -> str:
    """The row first, so that the folder never has a stale one."""
    state = files.state
    with files.transaction():
        old = state.mailbox(path)
        if old is not None:
            state.remove_mailbox(old.id)
        row = state.add_mailbox(path, special_uses)
        above = state.mailbox(path[:-1])
        if above is not None:
            state_rights.inherit(state, row.id, above.id)
    folders.make(files.maildir, path)
    return row.object_id


def delete(files: AccountFiles, path: Path) -> tuple[str, str]:
    """Out of sight at once: (folder whose files are to be removed, object id)."""
    present = folders.listed(files.maildir)
    if path not in present:
        if _has_children(path, present):
            raise MailboxHasChildren()
        raise NoSuchMailbox()
    gone = os.path.join(files.maildir, f"{folders.GONE}{time.time_ns()}")
    with files.transaction():
        row = files.state.mailbox(path)
        os.rename(present[path], gone)
        durable.sync_directory(files.maildir)
        if row is not None:
            files.state.remove_mailbox(row.id)
    return gone, "" if row is None else row.object_id


def rename(files: AccountFiles, old: Path, new: Path) -> dict[Path, Path]:
    """Rename with children: new paths by old.

    The state first, with a note of what is to be done on disk: whoever finds the note
    after a crash does it.
    """
    folders.check_path(new)
    present = folders.listed(files.maildir)
    moved = {p: new + p[len(old) :] for p in present if p[: len(old)] == old}
    if not moved:
        raise NoSuchMailbox()
    if new in present or _has_children(new, present):
        raise MailboxExists()
    if new[: len(old)] == old:
        raise BadMailboxName("A mailbox cannot be moved into itself")
    for path in moved.values():
        folders.check_path(path)
    _make_parents(files, new)
    state = files.state
    names = [(os.path.basename(present[path]), to) for path, to in moved.items()]
    with files.transaction():
        for path, to in moved.items():
            row, stale = state.mailbox(path), state.mailbox(to)
            if stale is not None:
                state.remove_mailbox(stale.id)
            if row is None:
                row = files.adopt(path, present[path])
            state.move_mailbox(row.id, to)
        state.add_renames(names)
    for name, to in names:
        folders.rename(files.maildir, name, to)
    durable.sync_directory(files.maildir)
    with files.transaction():
        state.forget_renames()
    return moved


def subscription(files: AccountFiles, path: Path, wanted: bool) -> None:
    folders.make(files.maildir, INBOX)  # so that there is a place for the state
    with files.transaction():
        if wanted:
            files.state.subscribe(path)
        else:
            files.state.unsubscribe(path)


def _has_children(path: Path, present: dict[Path, str]) -> bool:
    depth = len(path)
    return any(len(other) > depth and other[:depth] == path for other in present)


def _has_files(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name[0] != "." for entry in entries)
    except FileNotFoundError:
        return False


def _order(path: Path) -> tuple[bool, Path]:
    return path[:1] != INBOX, path
