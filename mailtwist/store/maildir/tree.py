"""Changing the tree of an account: folders of the Maildir and rows of the state.

Everything here runs in a thread, within a turn.
"""

from __future__ import annotations

from collections.abc import Collection

from ...errors import (
    BadMailboxName,
    MailboxExists,
    MailboxHasChildren,
    NoSuchMailbox,
    OverQuota,
)
from ...mailbox.model import Limits, Path, covers
from .. import state_counts, state_rights
from .account import AccountFiles


def create(files: AccountFiles, path: Path, special_uses: frozenset[str]) -> str:
    """See IMailboxes.create."""
    files.place.check(path)
    if files.place.present(path):
        raise MailboxExists()
    files.place.prepare()
    _check_number(files, path)
    _make_parents(files, path)
    return _make(files, path, special_uses)


def _check_number(files: AccountFiles, *new: Path, gone: Collection[Path] = ()) -> None:
    """Raises OverQuota if mailboxes of these names, and their parents, are too many
    when others are gone."""
    limits = {(): files.account.limits, **state_counts.limits(files.state)}
    limited = [
        (root, each.mailboxes)
        for root, each in limits.items()
        if each.mailboxes is not None and any(covers(root, path) for path in new)
    ]
    if not limited:
        return
    before = set(files.place.listed())
    after = before.difference(gone)
    for path in new:
        after.update(path[:depth] for depth in range(1, len(path) + 1))
    for root, most in limited:
        count = sum(covers(root, each) for each in after)
        if count > most and count > sum(covers(root, each) for each in before):
            raise OverQuota("Too many mailboxes")


def set_limits(files: AccountFiles, path: Path, limits: Limits) -> None:
    """See IMailboxes.set_limits."""
    files.place.check(path)
    with files.transaction():
        state_counts.set_limits(files.state, path, limits)


def _make_parents(files: AccountFiles, path: Path) -> list[Path]:
    """Those that were not there, the outermost first."""
    made = []
    for depth in range(1, len(path)):
        if not files.place.present(path[:depth]):
            _make(files, path[:depth], frozenset())
            made.append(path[:depth])
    return made


def _make(files: AccountFiles, path: Path, special_uses: frozenset[str]) -> str:
    """The row first, so that the folder never has a stale one."""
    state = files.state
    with files.transaction():
        old = state.mailbox(path)
        if old is not None:
            files.counting.moved(old.id, path, None)
            state.remove_mailbox(old.id)
        row = state.add_mailbox(path, special_uses)
        above = state.mailbox(path[:-1])
        if above is not None:
            state_rights.inherit(state, row.id, above.id)
    files.place.make(path)
    return row.object_id


def delete(files: AccountFiles, path: Path) -> tuple[str, str]:
    """Out of sight at once: (what is to be purged, object id)."""
    present = files.place.listed()
    if path not in present:
        if _has_children(path, present):
            raise MailboxHasChildren()
        raise NoSuchMailbox()
    with files.transaction():
        row = files.state.mailbox(path)
        if row is not None:
            files.counting.moved(row.id, path, None)
            files.counting.reserve()  # a crash from here on is seen
        gone = files.place.take_away(present[path])
        if row is not None:
            files.state.remove_mailbox(row.id)
    return gone, "" if row is None else row.object_id


def rename(files: AccountFiles, old: Path, new: Path) -> dict[Path, tuple[Path, str]]:
    """Rename with children: new paths and folders by old paths.

    The state first, with a note of what is to be done on disk: whoever finds the note
    after a crash does it.
    """
    files.place.check(new)
    present = files.place.listed()
    moved = {p: new + p[len(old) :] for p in present if p[: len(old)] == old}
    if not moved:
        raise NoSuchMailbox()
    if new in present or _has_children(new, present):
        raise MailboxExists()
    if new[: len(old)] == old:
        raise BadMailboxName("A mailbox cannot be moved into itself")
    for path in moved.values():
        files.place.check(path)
    _check_number(files, *moved.values(), gone=moved)
    parents = _make_parents(files, new)
    try:
        names = _renamed(files, old, new, moved, present)
    except OverQuota:
        for path in reversed(parents):
            files.place.purge(delete(files, path)[0])
        raise
    placed = [files.place.rename(name, to) for name, to in names]
    files.place.sync()
    with files.transaction():
        files.state.forget_renames()
    return dict(zip(moved, zip(moved.values(), placed, strict=True), strict=True))


def _renamed(
    files: AccountFiles,
    old: Path,
    new: Path,
    moved: dict[Path, Path],
    present: dict[Path, str],
) -> list[tuple[str, Path]]:
    """In the state: the folders that are to have other names.  Raises OverQuota."""
    state = files.state
    names = [(files.place.name_of(present[path]), to) for path, to in moved.items()]
    with files.transaction():
        for path, to in moved.items():
            row, stale = state.mailbox(path), state.mailbox(to)
            if stale is not None:
                files.counting.moved(stale.id, to, None)
                state.remove_mailbox(stale.id)
            if row is None:
                row = files.adopt(path, present[path])
            files.counting.moved(row.id, path, to)
            state.move_mailbox(row.id, to)
        state.add_renames(names)
        files.counting.reserve(bounded=True)
        limited = state_counts.rename_limits(state, old, new)
    if limited:
        files.counting.doubted()
    return names


def subscription(files: AccountFiles, path: Path, wanted: bool) -> None:
    files.place.prepare()  # so that there is a place for the state
    with files.transaction():
        if wanted:
            files.state.subscribe(path)
        else:
            files.state.unsubscribe(path)


def _has_children(path: Path, present: dict[Path, str]) -> bool:
    depth = len(path)
    return any(len(other) > depth and other[:depth] == path for other in present)
