"""Changing flags and expunging; each within the account's turn.

Flags: files are renamed, then the state follows.  A crash in between leaves new flags
on disk, which the next look finds and gives a MODSEQ; a new keyword has its letter in
the state before that, or the letter might come to mean another one.  Expunge: files are
unlinked, then the state follows; the next look after a crash finds them gone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from attrs import evolve

from ...flags import DELETED, Flags
from ...mailbox.model import Expunged, FlagAction, FlagChange, Stored
from ..state import Message
from . import durable, scan
from .account import AccountFiles
from .keywords import Spelling
from .live import Delta, Live


async def store_flags(
    files: AccountFiles,
    live: Live,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: int | None,
) -> Stored:
    """Rename what changes, in one go in a thread; see IMailbox.store_flags."""
    await files.look(live)
    if change.action is not FlagAction.REMOVE:
        spelling = Spelling(live.names)
        spelling.written(spelling.named(change.flags))
        if spelling.added:
            named = await files.thread(name, files, live, spelling.letters)
            files.applied(live, named)
    delta, told, modified = await files.thread(
        _store_flags, files, live, uids, change, unchanged_since
    )
    if not delta.empty:
        files.applied(live, delta)
    return Stored(live.rows(told), modified, live.row.highest_modseq)


def name(files: AccountFiles, live: Live, letters: dict[str, str]) -> Delta:
    """In a thread: keywords get letters; other processes see it by the MODSEQ."""
    row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
    delta = Delta(row, letters=letters)
    with files.transaction(live):
        files.record(live, delta)
    return delta


def _store_flags(
    files: AccountFiles,
    live: Live,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: int | None,
) -> tuple[Delta, list[int], list[int]]:
    """In a thread: (what changed, UIDs to tell, UIDs above `unchanged_since`)."""
    row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
    with files.transaction(live):
        told, modified, wanted = decided(
            live, uids, change, unchanged_since, row.highest_modseq
        )
        if not wanted:
            return Delta(live.row), told, modified
        changed = _renamed(live, wanted)
        delta = Delta(
            row if changed else live.row,
            changed=changed,
            stamp=scan.stamp_of(live.folder),
        )
        files.record(live, delta)
    return delta, told, modified


def decided(
    live: Live,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: int | None,
    modseq: int,
) -> tuple[list[int], list[int], list[tuple[str, Message]]]:
    """(UIDs to tell, UIDs above `unchanged_since`, old info parts and messages as they
    are to be, of those that change)."""
    spelling = Spelling(live.names)
    named = spelling.named(change.flags)
    told: list[int] = []
    modified: list[int] = []
    wanted: list[tuple[str, Message]] = []
    wishes: dict[Flags, Flags] = {}
    for at in live.places(uids):
        if unchanged_since is not None and live.modseqs[at] > unchanged_since:
            modified.append(live.uids[at])
            continue
        told.append(live.uids[at])
        old = live.flags[at]
        new = wishes.get(old)
        if new is None:
            new = wishes[old] = changed_flags(old, change.action, named)
        if new != old:
            info, keywords = spelling.written(new, live.infos[at])
            message = live.message(at)._replace(
                info=info, keywords=keywords, modseq=modseq
            )
            wanted.append((live.infos[at], message))
    return told, modified, wanted


def changed_flags(flags: Flags, action: FlagAction, named: Flags) -> Flags:
    if action is FlagAction.ADD:
        return flags | named
    if action is FlagAction.REMOVE:
        return flags - named
    return named


def _renamed(live: Live, wanted: Sequence[tuple[str, Message]]) -> list[Message]:
    """Give files their new info part; those that are there, durably.

    A file that somebody renamed meanwhile is found by its base."""
    cur = f"{live.folder}/cur"
    find = scan.located(live.folder)
    done = []
    moved = False
    for old_info, message in wanted:
        old, new = f"{message.base}{old_info}", f"{message.base}{message.info}"
        if old != new:
            moved = True
            try:
                os.rename(f"{cur}/{old}", f"{cur}/{new}")
            except FileNotFoundError:
                name = find(message.base)
                if name is None:
                    continue  # expunged by another program; the next look tells
                os.rename(f"{cur}/{name}", f"{cur}/{new}")
        done.append(message)
    if moved:
        durable.sync_directory(cur)
    return done


async def expunge(
    files: AccountFiles, live: Live, uids: Sequence[int] | None
) -> Expunged:
    """Unlink, then forget; see IMailbox.expunge."""
    await files.look(live)
    if uids is None:
        uids = [
            uid
            for uid, flags in zip(live.uids, live.flags, strict=True)
            if DELETED in flags
        ]
    messages = live.messages(uids)
    if messages:
        files.applied(live, await files.thread(_expunge, files, live, messages))
        gone = [message.uid for message in messages]
        files.cache_turn(files.cache.forget, live.row.object_id, gone)
    return Expunged(
        sorted(message.uid for message in messages), live.row.highest_modseq
    )


def _expunge(files: AccountFiles, live: Live, messages: Sequence[Message]) -> Delta:
    row = evolve(live.row, highest_modseq=live.row.highest_modseq + 1)
    with files.transaction(live):
        unlinked(live.folder, messages)
        delta = Delta(
            row,
            vanished=sorted(message.uid for message in messages),
            stamp=scan.stamp_of(live.folder),
        )
        files.record(live, delta)
    return delta


def unlinked(folder: str, messages: Sequence[Message]) -> None:
    """Remove the files of messages, durably; a renamed one is found by its base."""
    cur = f"{folder}/cur"
    find = scan.located(folder)
    for message in messages:
        try:
            os.unlink(f"{cur}/{message.base}{message.info}")
        except FileNotFoundError:
            name = find(message.base)
            if name is not None:
                os.unlink(f"{cur}/{name}")
    durable.sync_directory(cur)
