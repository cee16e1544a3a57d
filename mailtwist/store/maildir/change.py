"""Changing messages: flags, copies, moves, expunges, appends.

Each function runs within the account's turn.  The order makes every crash harmless: a
file is never without its message for longer than until the next look, and a message is
never lost.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve

from ...errors import OverQuota
from ...flags import RECENT, Flags, canonical
from ...mailbox.model import (
    Appended,
    Copied,
    Expunged,
    FlagAction,
    FlagChange,
    Path,
    Stored,
)
from . import durable, scan
from .account import AccountFiles
from .live import Delta, Live, Message
from .names import KEYWORD_LETTERS, letters_for
from .spool import Spool
from .writer import NewFile

if TYPE_CHECKING:
    from .mailboxes import MaildirMailboxes


class Keywords:
    """The keywords of a mailbox, and those that become so within this change."""

    def __init__(self, live: Live) -> None:
        self.letters = dict(live.keyword_letters)
        self._by_name = {name.lower(): key for key, name in self.letters.items()}
        self._others = {
            word.lower(): word for text in set(live.keywords) for word in text.split()
        }
        self.added: list[tuple[str, str]] = []

    def spelled(self, flags: Flags) -> Flags:
        """`flags` as spelled in this mailbox; \\Recent is nobody's to store."""
        found = set()
        for flag in flags:
            letter = self._by_name.get(flag.lower())
            known = self.letters.get(letter or "") or self._others.get(flag.lower())
            found.add(known or canonical(flag))
        return frozenset(found - {RECENT})

    def written(self, flags: Flags) -> tuple[str, str]:
        """(info letters, keywords without a letter) for these flags."""
        for flag in sorted(flags):
            if flag[0] != "\\" and flag != "$Forwarded":
                self._name(flag)
        letters = letters_for(flags, self._by_name)
        others = sorted(
            flag for flag in flags if flag.lower() in self._others and flag[0] != "\\"
        )
        return letters, " ".join(others)

    def _name(self, keyword: str) -> None:
        key = keyword.lower()
        if key in self._by_name or key in self._others:
            return
        free = [letter for letter in KEYWORD_LETTERS if letter not in self.letters]
        if free:
            self.letters[free[0]], self._by_name[key] = keyword, free[0]
            self.added.append((free[0], keyword))
        else:
            self._others[key] = keyword


def changed_flags(flags: Flags, action: FlagAction, named: Flags) -> Flags:
    if action is FlagAction.ADD:
        return flags | named
    if action is FlagAction.REMOVE:
        return flags - named
    return named


async def store_flags(
    files: AccountFiles,
    live: Live,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: int | None,
) -> Stored:
    """Rename what changes, in one go in a thread; see IMailbox.store_flags."""
    await files.look(live)
    keywords = Keywords(live)
    named = keywords.spelled(change.flags)
    modseq = live.row.highest_modseq + 1
    told, modified, changed = [], [], []
    for uid in uids:
        at = live.index(uid)
        if at is None:
            continue
        if unchanged_since is not None and live.modseqs[at] > unchanged_since:
            modified.append(uid)
            continue
        told.append(uid)
        flags = changed_flags(live.flags[at], change.action, named)
        if flags != live.flags[at]:
            letters, others = keywords.written(flags)
            message = live.message(at)
            changed.append(
                (
                    message,
                    evolve(message, letters=letters, keywords=others, modseq=modseq),
                )
            )
    if changed:
        delta = await files.thread(_rename, files, live, changed, keywords)
        files.applied(live, delta)
    return Stored(live.rows(told), modified, live.row.highest_modseq)


def _rename(
    files: AccountFiles,
    live: Live,
    changed: Sequence[tuple[Message, Message]],
    keywords: Keywords,
) -> Delta:
    """In a thread.  A file that somebody renamed meanwhile is found by its base."""
    folder = f"{live.folder}/cur"
    names: dict[str, str] | None = None
    row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
    done = []
    for old, new in changed:
        target = f"{folder}/{new.base}:2,{new.letters}"
        try:
            os.rename(f"{folder}/{old.base}:2,{old.letters}", target)
        except FileNotFoundError:
            if names is None:
                names = {n.partition(":")[0]: n for n in os.listdir(folder)}
            if old.base not in names:
                continue  # expunged by another program; the next look tells
            os.rename(f"{folder}/{names[old.base]}", target)
        done.append(new)
    durable.sync_directory(folder)
    with files.state.transaction():
        for letter, keyword in keywords.added:
            files.state.add_keyword(row.id, letter, keyword)
        files.state.set_flags(
            row.id, [(m.letters, m.keywords, m.modseq, m.uid) for m in done]
        )
        files.state.set_counters(row.id, row.uid_next, row.highest_modseq)
    return Delta(
        row,
        changed=done,
        letters=keywords.letters if keywords.added else None,
        stamp=scan.stamp_of(live.folder),
    )


async def expunge(files: AccountFiles, live: Live, uids: Sequence[int]) -> Expunged:
    """Unlink, then forget: a crash in between shows as files that are gone."""
    await files.look(live)
    messages = live.messages(uids)
    if messages:
        files.applied(live, await files.thread(_unlink, files, live, messages))
        gone = [message.uid for message in messages]
        files.cache_turn(files.cache.forget, live.row.object_id, gone)
    return Expunged([m.uid for m in messages], live.row.highest_modseq)


def _unlink(files: AccountFiles, live: Live, messages: Sequence[Message]) -> Delta:
    row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
    with files.state.transaction():
        _remove_files(live, messages)
        files.state.vanish(row.id, row.highest_modseq, [m.uid for m in messages])
        files.state.set_counters(row.id, row.uid_next, row.highest_modseq)
    stamp = scan.stamp_of(live.folder)
    return Delta(row, vanished=[m.uid for m in messages], stamp=stamp)


def _remove_files(live: Live, messages: Sequence[Message]) -> None:
    folder = f"{live.folder}/cur"
    names: dict[str, str] | None = None
    for message in messages:
        try:
            os.unlink(f"{folder}/{message.base}:2,{message.letters}")
        except FileNotFoundError:
            if names is None:
                names = {n.partition(":")[0]: n for n in os.listdir(folder)}
            if message.base in names:
                os.unlink(f"{folder}/{names[message.base]}")
    durable.sync_directory(folder)


async def copy(
    tree: MaildirMailboxes, live: Live, uids: Sequence[int], target: Path
) -> Copied:
    """Hard links under new names; see IMailbox.copy."""
    files = tree.files
    await files.look(live)
    into = await files.opened(target)
    messages = live.messages(uids)
    await tree.need_room(sum(m.file_octets for m in messages))
    new = await _linked(tree, live, into, messages)
    return Copied(into.row.uid_validity, [m.uid for m in messages], new)


async def move(
    tree: MaildirMailboxes, live: Live, uids: Sequence[int], target: Path
) -> Copied:
    """The copies are durable before the originals go."""
    files = tree.files
    await files.look(live)
    into = await files.opened(target)
    messages = live.messages(uids)
    new = await _linked(tree, live, into, messages)
    if messages:
        files.applied(live, await files.thread(_unlink, files, live, messages))
    return Copied(into.row.uid_validity, [m.uid for m in messages], new)


async def _linked(
    tree: MaildirMailboxes, live: Live, into: Live, messages: Sequence[Message]
) -> list[int]:
    """UIDs in `into` of links to these messages, with their flags and dates."""
    files = tree.files
    if not messages:
        return []
    keywords = Keywords(into)
    modseq = into.row.highest_modseq + 1
    added = []
    for uid, message in enumerate(messages, into.row.uid_next):
        at = live.index(message.uid)
        flags = live.flags[at] if at is not None else frozenset()
        letters, others = keywords.written(keywords.spelled(flags))
        base = tree.names.base(message.file_octets, message.octets)
        added.append(
            evolve(
                message,
                uid=uid,
                base=base,
                letters=letters,
                keywords=others,
                modseq=modseq,
            )
        )
    pairs = list(zip(messages, added, strict=True))
    delta = await files.thread(_link, files, live, into, pairs, keywords)
    files.applied(into, delta)
    return [message.uid for message in added]


def _link(
    files: AccountFiles,
    live: Live,
    into: Live,
    pairs: Sequence[tuple[Message, Message]],
    keywords: Keywords,
) -> Delta:
    """In a thread: all links or none, then the rows."""
    source, folder = f"{live.folder}/cur", f"{into.folder}/cur"
    made: list[str] = []
    names: dict[str, str] | None = None
    try:
        for old, new in pairs:
            target = f"{folder}/{new.base}:2,{new.letters}"
            try:
                os.link(f"{source}/{old.base}:2,{old.letters}", target)
            except FileNotFoundError:
                if names is None:
                    names = {n.partition(":")[0]: n for n in os.listdir(source)}
                os.link(f"{source}/{names.get(old.base, old.base)}", target)
            made.append(target)
        durable.sync_directory(folder)
        return _recorded(files, into, [new for _, new in pairs], keywords)
    except BaseException:
        for path in made:
            os.unlink(path)
        raise


def _recorded(
    files: AccountFiles,
    into: Live,
    added: Sequence[Message],
    keywords: Keywords,
) -> Delta:
    """Rows and counters of files that are in place, durable when it returns."""
    new_row = evolve(
        into.row,
        uid_next=added[-1].uid + 1,
        highest_modseq=into.row.highest_modseq + 1,
    )
    with files.state.transaction():
        for letter, keyword in keywords.added:
            files.state.add_keyword(new_row.id, letter, keyword)
        files.state.add_messages(new_row.id, map(scan.as_row, added))
        files.state.set_counters(new_row.id, new_row.uid_next, new_row.highest_modseq)
    scan.append_uidlist(into.folder, new_row, added)
    return Delta(
        new_row,
        added=added,
        letters=keywords.letters if keywords.added else None,
        stamp=scan.stamp_of(into.folder),
    )


async def append(
    tree: MaildirMailboxes,
    path: Path,
    uploads: Sequence[tuple[Spool, Flags, int]],
) -> Appended:
    """New files in cur/, then their rows; all or none."""
    files = tree.files
    live = await files.opened(path)
    limit = files.account.storage_limit_octets
    octets = sum(spool.octets for spool, _, _ in uploads)
    if limit is not None and (await tree.usage_in_turn()).octets + octets > limit:
        raise OverQuota()
    keywords = Keywords(live)
    modseq = live.row.highest_modseq + 1
    new, added = [], []
    for uid, (spool, flags, date) in enumerate(uploads, live.row.uid_next):
        letters, others = keywords.written(keywords.spelled(flags))
        base = tree.names.base(spool.octets)
        size = spool.octets
        new.append(NewFile(live.folder, f"{base}:2,{letters}", "cur", spool))
        added.append(Message(uid, base, letters, others, modseq, size, size, date))
    outcomes = await tree.writer.commit(new)
    failed = [fault for fault in outcomes if fault is not None]
    if failed:
        pairs = zip(added, outcomes, strict=True)
        await files.thread(_remove_files, live, [m for m, f in pairs if f is None])
        raise failed[0]

    def record() -> Delta:
        for message in added:
            name = f"{live.folder}/cur/{message.base}:2,{message.letters}"
            os.utime(name, (message.internal_date, message.internal_date))
        return _recorded(files, live, added, keywords)

    files.applied(live, await files.thread(record))
    return Appended(live.row.uid_validity, [m.uid for m in added])
