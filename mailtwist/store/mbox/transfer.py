"""Messages that come from elsewhere in the account, or from a client.

Each within the account's turn.  The target is rewritten first, then the source, then
the state is committed: a crash between leaves a message that moves in both.  What a
crash leaves in a file without a row was never promised; the next look takes it in.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ...errors import MessageGone
from ...flags import NONE, Flags
from ...mailbox.model import Appended, Copied, Path
from ...mime import mbox
from ...mime.mbox_marks import Marks, block
from ..maildir.keywords import Spelling
from ..maildir.live import Delta
from ..maildir.spool import Spool
from ..maildir.transfer import Transfer, Upload, identified
from ..state import Message
from .change import Done, rewritten
from .files import Locks, MboxFiles
from .intake import MboxLive, local_date
from .journal import Part
from .plan import Addition
from .scan import Entry

if TYPE_CHECKING:
    from .mailboxes import MboxMailboxes


@frozen
class _Moved:
    """What a rewrite made of two mailboxes, or of one."""

    arrival: Done
    departure: Done | None
    transfer: Transfer


# -- within the account -----------------------------------------------------------


async def copy(
    tree: MboxMailboxes, live: MboxLive, uids: Sequence[int], target: Path
) -> Copied:
    """See IMailbox.copy."""
    files = tree.files
    await files.look(live)
    into = await files.opened_mbox(target)
    messages = live.messages(uids)
    octets = sum(message.file_octets for message in messages)
    await tree.need_room([(target, (octets, len(messages)))])
    if not messages:
        return Copied(into.row.uid_validity, [], [])
    moved = await files.changing(
        {live: False, into: True}, _transferred, files, live, into, uids, False
    )
    return _finished(files, live, into, moved)


async def move(
    tree: MboxMailboxes, live: MboxLive, uids: Sequence[int], target: Path
) -> Copied:
    """See IMailbox.move."""
    files = tree.files
    await files.look(live)
    into = await files.opened_mbox(target)
    messages = live.messages(uids)
    if not messages:
        return Copied(into.row.uid_validity, [], [])
    octets, count = sum(message.file_octets for message in messages), len(messages)
    await tree.need_room([(target, (octets, count)), (live.path, (-octets, -count))])
    moved = await files.changing(
        {live: True, into: True}, _transferred, files, live, into, uids, True
    )
    return _finished(files, live, into, moved)


def _finished(
    files: MboxFiles, live: MboxLive, into: MboxLive, moved: _Moved
) -> Copied:
    files.done(into, *moved.arrival)
    if moved.departure is not None:
        files.done(live, *moved.departure)
        gone = list(moved.departure[0].vanished)
        files.cache_turn(files.cache.forget, live.row.object_id, gone)
    return Copied(
        into.row.uid_validity,
        [message.uid for message in moved.transfer.old],
        [message.uid for message in moved.transfer.new],
    )


def _transferred(
    locks: Locks,
    files: MboxFiles,
    live: MboxLive,
    into: MboxLive,
    uids: Sequence[int],
    leaves: bool,
) -> _Moved:
    """In a thread, under the locks of both."""
    with files.transaction(live, into):
        messages = live.messages(uids)
        transfer, flags = _transfer(live, into, messages)
        added = identified(files, live, transfer)
        descriptor = locks[live.folder].descriptor
        additions = [
            _copied(descriptor, entry, message.uid, each)
            for old, message, each in zip(messages, added, flags, strict=True)
            if (entry := live.layout.entry(old.uid)) is not None
        ]
        gone = [message.uid for message in messages] if leaves else []
        arrival, departure = _arrived(
            locks, files, into, added, additions, transfer.letters, live, gone
        )
    return _Moved(arrival, departure, transfer)


def _transfer(
    live: MboxLive, into: MboxLive, messages: Sequence[Message]
) -> tuple[Transfer, list[Flags]]:
    """UIDs and flags in `into` of these messages."""
    spelling = Spelling(into.names)
    modseq, now = into.row.highest_modseq + 1, int(time.time())
    new, named = [], []
    for uid, message in enumerate(messages, into.row.uid_next):
        flags = spelling.named(live.names.flags(message.info, message.keywords))
        info, keywords = spelling.written(flags)
        named.append(flags)
        new.append(
            message._replace(
                uid=uid, info=info, keywords=keywords, modseq=modseq, saved_at=now
            )
        )
    letters = spelling.letters if spelling.added else None
    return Transfer(list(messages), new, letters), named


def _copied(descriptor: int, entry: Entry, uid: int, flags: Flags) -> Addition:
    """As it stands in its file, with other marks."""
    head = os.pread(descriptor, entry.body - entry.start, entry.start)
    cut, form = entry.text - entry.start, entry.form
    end = os.pread(descriptor, 3, max(entry.text - 1, entry.stop - 3))
    more = b""
    if not end.endswith(b"\n"):
        more, form = b"\n\n", evolve(form, open=True)
    elif not end.endswith((b"\n\n", b"\n\r\n")):
        more = b"\n"
    return Addition(
        head[:cut],
        Marks(flags, False, uid, None, form),
        form,
        entry.key,
        entry.octets,
        _rest(descriptor, entry, more),
        head[cut:],
    )


def _rest(descriptor: int, entry: Entry, more: bytes) -> Iterator[bytes]:
    """Behind the header, with the empty line at the end."""
    for at in range(entry.body, entry.stop, mbox.PIECE_OCTETS):
        yield os.pread(descriptor, min(mbox.PIECE_OCTETS, entry.stop - at), at)
    if more:
        yield more


def _arrived(
    locks: Locks,
    files: MboxFiles,
    into: MboxLive,
    added: Sequence[Message],
    additions: Sequence[Addition],
    letters: dict[str, str] | None,
    live: MboxLive | None = None,
    gone: Sequence[int] = (),
) -> tuple[Done, Done | None]:
    """Append to `into` and remove from `live`, which may be the same; recorded."""
    row = evolve(
        into.row,
        uid_next=added[-1].uid + 1,
        highest_modseq=into.row.highest_modseq + 1,
    )
    same = live is into
    delta, layout = rewritten(
        locks, files, into, row, gone=set(gone) if same else (), added=additions
    )
    delta = evolve(delta, added=added, letters=letters)
    files.record(into, delta)
    if live is None or not gone:
        return (delta, layout), None
    source = delta.row if same else live.row
    row = evolve(source, highest_modseq=source.highest_modseq + 1)
    if same:
        departure = Delta(row, stamp=delta.stamp, certain=True, listed=True)
        left = layout
    else:
        departure, left = rewritten(locks, files, live, row, gone=set(gone))
    departure = evolve(departure, vanished=sorted(gone))
    files.record(live, departure)
    return (delta, layout), (departure, left)


# -- from a client ----------------------------------------------------------------


async def append(
    tree: MboxMailboxes,
    path: Path,
    uploads: Sequence[Upload],
    leaving: Sequence[tuple[Path, tuple[int, int]]] = (),
) -> Appended:
    """See IMailboxes.append; `leaving` goes from elsewhere in the account
    afterwards."""
    files = tree.files
    into = await files.opened_mbox(path)
    octets = sum(spool.octets for spool, _, _ in uploads)
    await tree.need_room([(path, (octets, len(uploads))), *leaving])
    if not uploads:
        return Appended(into.row.uid_validity, [])
    done = await files.changing({into: True}, _appended, files, into, uploads)
    files.done(into, *done[0])
    return Appended(into.row.uid_validity, [m.uid for m in done[0][0].added])


async def replace(
    tree: MboxMailboxes, live: MboxLive, uid: int, target: Path, upload: Upload
) -> Appended:
    """See IMailbox.replace."""
    files = tree.files
    await files.look(live)
    into = await files.opened_mbox(target)
    for old in live.messages([uid]):
        there = target, (upload[0].octets, 1)
        await tree.need_room([there, (live.path, (-old.file_octets, -1))])
        arrival, departure = await files.changing(
            {live: True, into: True}, _appended, files, into, [upload], live, uid
        )
        files.done(into, *arrival)
        if departure is not None:
            files.done(live, *departure)
            files.cache_turn(files.cache.forget, live.row.object_id, [uid])
        return Appended(into.row.uid_validity, [m.uid for m in arrival[0].added])
    raise MessageGone()


def _appended(
    locks: Locks,
    files: MboxFiles,
    into: MboxLive,
    uploads: Sequence[Upload],
    live: MboxLive | None = None,
    uid: int = 0,
) -> tuple[Done, Done | None]:
    """In a thread, under the locks."""
    if live is not None and live.index(uid) is None:
        raise MessageGone()
    lives = [into] if live is None or live is into else [live, into]
    with files.transaction(*lives):
        spelling = Spelling(into.names)
        modseq, now = into.row.highest_modseq + 1, int(time.time())
        sender = files.account.name.encode()
        added, additions = [], []
        for number, upload in enumerate(uploads, into.row.uid_next):
            spool, asked, date = upload
            flags = spelling.named(asked)
            info, keywords = spelling.written(flags)
            addition = new_message(
                Octets(spool=spool), files.config.quoting, sender, date
            )
            marks = evolve(addition.marks, flags=flags, uid=number)
            additions.append(evolve(addition, marks=marks))
            octets = spool.octets
            added.append(
                Message(
                    number,
                    addition.key,
                    info,
                    keywords,
                    modseq,
                    octets,
                    octets,
                    date,
                    now,
                )
            )
        letters = spelling.letters if spelling.added else None
        gone = [uid] if live is not None else []
        return _arrived(locks, files, into, added, additions, letters, live, gone)


@frozen
class Octets:
    """Octets that can be taken from their start as often as needed."""

    parts: tuple[bytes, ...] = ()
    spool: Spool | None = None

    def __iter__(self) -> Iterator[bytes]:
        yield from self.parts
        if self.spool is None:
            return
        if self.spool.in_memory:
            yield from self.spool.parts
            return
        descriptor, at = self.spool.open_descriptor(), len(self.spool.head)
        while octets := os.pread(descriptor, mbox.PIECE_OCTETS, at):
            yield octets
            at += len(octets)


@frozen
class QuotedOnce:
    """Octets as they come back from a file that is quoted as mboxo does."""

    content: Iterable[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return mbox.quoted_once(self.content)


def new_message(
    content: Iterable[bytes], quoting: str, sender: bytes, date: int
) -> Addition:
    """A message that came by a protocol; `content` is taken more than once."""
    digest = hashlib.blake2b(digest_size=16)
    octets = 0
    if quoting == mbox.MBOXO and mbox.survey(content).quoted:
        if mbox.looks_quoted(content):  # nobody could tell how it is quoted
            quoting = mbox.MBOXRD
        else:
            content = QuotedOnce(content)

    def counted() -> Iterator[bytes]:
        nonlocal octets
        for piece in content:
            digest.update(piece)
            octets += len(piece)
            yield piece

    form = mbox.survey(counted(), quoting)
    return Addition(
        mbox.from_line(sender, local_date(date)),
        Marks(NONE, form=form),
        form,
        digest.hexdigest(),
        octets,
        mbox.encoded(content, form, quoting),
    )


def behind(descriptor: int, size: int, message: Addition) -> Iterator[Part]:
    """The file as it is, and a message behind it."""
    yield 0, size
    end = os.pread(descriptor, 3, max(0, size - 3))
    if size and not end.endswith((b"\n\n", b"\n\r\n")):
        yield b"\n" if end.endswith(b"\n") else b"\n\n"
    yield message.line + block(message.marks)
    yield from message.rest
