"""Messages that come from elsewhere in the account, or from a client.

Each within the account's turn, and each safe at any crash.  New files wait in cur/ as
PENDING until their rows are durable, then get their names; a look finishes that (see
`scan`).  A move has both mailboxes in one account and so in one transaction: the rows
there and here change together, and the files to unlink are noted with them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ...errors import MessageGone
from ...flags import DELETED, NONE, Flags
from ...mailbox.identifiers import email_id
from ...mailbox.model import Appended, Copied, Path
from ..state import Message
from ..state_identifiers import identifiers
from . import durable, scan
from .account import CATCH_UP_S, AccountFiles, Behind
from .change import unlinked
from .keywords import Spelling
from .live import Delta, Live
from .scan import PENDING
from .spool import Spool
from .writer import NewFile

if TYPE_CHECKING:
    from .mailboxes import MaildirMailboxes

# A file that cannot get one more hard link there is copied instead.
_NO_LINK = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP}


@frozen
class Transfer:
    """Messages of a mailbox and what they become in another."""

    old: list[Message]
    new: list[Message]
    letters: dict[str, str] | None  # keywords by letter there, if they change


async def copy(
    tree: MaildirMailboxes, live: Live, uids: Sequence[int], target: Path
) -> Copied:
    """Hard links under new names; see IMailbox.copy."""
    files = tree.files
    await files.look(live)
    into = await files.opened(target)
    messages = live.messages(uids)
    octets = sum(message.file_octets for message in messages)
    await tree.need_room([(target, (octets, len(messages)))])
    if not messages:
        return Copied(into.row.uid_validity, [], [])
    transfer = _transfer(tree, live, into, messages)

    def run() -> Delta:
        with files.transaction(live, into), _Pending(live, into, transfer) as pending:
            added = identified(files, live, transfer)
            delta = _arrival(into, added, transfer.letters)
            files.record(into, delta)
            files.counting.reserve(bounded=True)
            pending.keep()
        return evolve(delta, stamp=_shown(into, transfer.new))

    files.applied(into, await files.thread(run))
    return _copied(into, transfer)


async def move(
    tree: MaildirMailboxes, live: Live, uids: Sequence[int], target: Path
) -> Copied:
    """As copy, and the originals go; see IMailbox.move."""
    files = tree.files
    await files.look(live)
    into = await files.opened(target)
    messages = live.messages(uids)
    if not messages:
        return Copied(into.row.uid_validity, [], [])
    octets, count = sum(message.file_octets for message in messages), len(messages)
    await tree.need_room([(target, (octets, count)), (live.path, (-octets, -count))])
    transfer = _transfer(tree, live, into, messages)
    leaving = _Leaving(files, live, into, messages)

    def run() -> tuple[Delta, Delta]:
        with files.transaction(live, into), _Pending(live, into, transfer) as pending:
            added = identified(files, live, transfer)
            delta = _arrival(into, added, transfer.letters)
            files.record(into, delta)
            departure = leaving.recorded(delta)
            files.counting.reserve(bounded=True)
            pending.keep()
        return leaving.finished(delta, departure)

    leaving.applied(*await files.thread(run))
    return _copied(into, transfer)


def _copied(into: Live, transfer: Transfer) -> Copied:
    return Copied(
        into.row.uid_validity,
        [message.uid for message in transfer.old],
        [message.uid for message in transfer.new],
    )


async def kept(
    tree: MaildirMailboxes,
    live: Live,
    messages: Sequence[Message],
    target: MaildirMailboxes,
    path: Path,
) -> None:
    """As copy, into another account and without \\Deleted; within both turns.  What
    another program removed meanwhile is left out."""
    files = target.files
    into = await files.opened(path)
    find = scan.located(live.folder)

    def run() -> Delta | None:
        here = [m for m in messages if os.path.lexists(_path(live, m)) or find(m.base)]
        if not here:
            return None
        transfer = _transfer(target, live, into, here, frozenset({DELETED}))
        added = identified(tree.files, live, transfer)
        with files.transaction(into), _Pending(live, into, transfer) as pending:
            delta = _arrival(into, added, transfer.letters)
            files.record(into, delta)
            files.counting.reserve()
            pending.keep()
        return evolve(delta, stamp=_shown(into, transfer.new))

    delta = await files.thread(run)
    if delta is not None:
        files.applied(into, delta)


def _path(live: Live, message: Message) -> str:
    return f"{live.folder}/cur/{message.base}{message.info}"


def _transfer(
    tree: MaildirMailboxes,
    live: Live,
    into: Live,
    messages: Sequence[Message],
    without: Flags = NONE,
) -> Transfer:
    """UIDs, names and flags in `into` of these messages."""
    spelling = Spelling(into.names)
    modseq, now = into.row.highest_modseq + 1, int(time.time())
    spelled: dict[Flags, tuple[str, str]] = {}
    new = []
    for uid, message in enumerate(messages, into.row.uid_next):
        flags = live.names.flags(message.info, message.keywords) - without
        written = spelled.get(flags)
        if written is None:
            written = spelled[flags] = spelling.written(spelling.named(flags))
        new.append(
            Message(
                uid,
                tree.names.base(message.file_octets, message.octets),
                *written,
                modseq,
                message.octets,
                message.file_octets,
                message.internal_date,
                now,
            )
        )
    return Transfer(list(messages), new, spelling.letters if spelling.added else None)


@frozen
class _Leaving:
    """Messages that go from `live` in the transaction in which others come to `into`.

    Whoever meets their files after that unlinks them."""

    files: AccountFiles
    live: Live
    into: Live
    messages: Sequence[Message]

    def recorded(self, arrival: Delta) -> Delta:
        """In a thread, in the transaction, behind the record of `arrival`."""
        live = self.live
        source = arrival.row if self.into is live else live.row
        row = evolve(source, highest_modseq=source.highest_modseq + 1)
        departure = Delta(row, vanished=sorted(m.uid for m in self.messages))
        self.files.record(live, departure)
        self.files.state.add_removed(live.row.id, [m.base for m in self.messages])
        return departure

    def finished(self, arrival: Delta, departure: Delta) -> tuple[Delta, Delta]:
        """In a thread, after COMMIT: files get their names, and files go."""
        live = self.live
        live.removed |= {message.base for message in self.messages}
        stamp = _shown(self.into, arrival.added)
        unlinked(live.folder, self.messages)
        self.files.forget_removed(live)
        departure = evolve(departure, stamp=scan.stamp_of(live.folder))
        return evolve(arrival, stamp=None if self.into is live else stamp), departure

    def applied(self, arrival: Delta, departure: Delta) -> None:
        """Every session sees it."""
        files, live = self.files, self.live
        files.applied(self.into, arrival)
        files.applied(live, departure)
        files.cache_turn(files.cache.forget, live.row.object_id, departure.vanished)


# -- in a thread ------------------------------------------------------------------


def identified(files: AccountFiles, live: Live, transfer: Transfer) -> list[Message]:
    """The new messages, which are the same mail as the old ones (RFC 8474 §5.1)."""
    uids = [message.uid for message in transfer.old]
    known = identifiers(files.state, live.row.id, uids)
    added = []
    for old, new in zip(transfer.old, transfer.new, strict=True):
        one = known[old.uid]
        own = email_id(one.email_id, live.row.object_id, old.uid).decode()
        added.append(new._replace(email_id=own, thread_id=one.thread_id))
    return added


class _Pending(contextlib.AbstractContextManager["_Pending"]):
    """Links to messages of `live` in cur/ of `into`, durable but not shown yet.

    They go if the block fails before `keep`; after a crash the next look decides."""

    def __init__(self, live: Live, into: Live, transfer: Transfer) -> None:
        self._made: list[str] = []
        self._kept = False
        source, cur = f"{live.folder}/cur", f"{into.folder}/cur"
        find = scan.located(live.folder)
        try:
            for old, new in zip(transfer.old, transfer.new, strict=True):
                path = f"{cur}/{PENDING}{new.base}"
                try:
                    _link(f"{source}/{old.base}{old.info}", path)
                except FileNotFoundError:
                    _link(f"{source}/{find(old.base) or old.base}", path)
                self._made.append(path)
            durable.sync_directory(cur)
        except BaseException:
            self._remove()
            raise

    def keep(self) -> None:
        """The transaction is complete but for its COMMIT."""
        self._kept = True

    def __exit__(self, *failure: object) -> None:
        if not self._kept:
            self._remove()

    def _remove(self) -> None:
        for path in self._made:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _link(source: str, path: str) -> None:
    try:
        os.link(source, path, follow_symlinks=False)
    except OSError as fault:
        if fault.errno not in _NO_LINK:
            raise
        shutil.copy2(source, path)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _shown(into: Live, added: Sequence[Message]) -> tuple[int, int]:
    """Give pending files their names; the folder's stamp afterwards."""
    cur = f"{into.folder}/cur"
    for message in added:
        base = message.base
        try:
            os.rename(f"{cur}/{PENDING}{base}", f"{cur}/{base}{message.info}")
        except FileNotFoundError:
            continue  # another process was here and has shown it
    return scan.stamp_of(into.folder)


def _arrival(
    into: Live, added: Sequence[Message], letters: dict[str, str] | None
) -> Delta:
    row = evolve(
        into.row,
        uid_next=added[-1].uid + 1,
        highest_modseq=into.row.highest_modseq + 1,
    )
    return Delta(row, added=added, letters=letters)


# -- from a client ----------------------------------------------------------------

Upload = tuple[Spool, Flags, int]  # with its internal date


async def append(
    tree: MaildirMailboxes,
    path: Path,
    uploads: Sequence[Upload],
    leaving: Sequence[tuple[Path, tuple[int, int]]] = (),
) -> Appended:
    """New files and their rows; all or none.  `leaving` says what goes from elsewhere
    in the account afterwards."""
    live = await tree.files.opened(path)
    octets = sum(spool.octets for spool, _, _ in uploads)
    await tree.need_room([(path, (octets, len(uploads))), *leaving])
    if not uploads:
        return Appended(live.row.uid_validity, [])
    return await _Arrival(tree, live, uploads, bounded=not leaving).made()


async def replace(
    tree: MaildirMailboxes, live: Live, uid: int, target: Path, upload: Upload
) -> Appended:
    """A new file there for one here, in one transaction; see IMailbox.replace."""
    await tree.files.look(live)
    into = await tree.files.opened(target)
    for old in live.messages([uid]):
        there = target, (upload[0].octets, 1)
        await tree.need_room([there, (live.path, (-old.file_octets, -1))])
        return await _Arrival(tree, into, [upload], (live, uid)).made()
    raise MessageGone()


class _Arrival:
    """Messages of a client on their way into `live`; `replaced` goes with it."""

    def __init__(
        self,
        tree: MaildirMailboxes,
        live: Live,
        uploads: Sequence[Upload],
        replaced: tuple[Live, int] | None = None,
        *,
        bounded: bool = True,
    ) -> None:
        """Not `bounded`: it was made sure of that they fit once others left."""
        self._tree, self._live, self._uploads = tree, live, uploads
        self._replaced, self._bounded = replaced, bounded
        self._bases = [tree.names.base(spool.octets) for spool, _, _ in uploads]
        self._committed = False

    async def made(self) -> Appended:
        """Durable files, then durable rows."""
        files, live = self._tree.files, self._live
        pairs = zip(self._bases, self._uploads, strict=True)
        new = [
            NewFile(live.folder, f"{PENDING}{base}", "cur", spool, internal_date=date)
            for base, (spool, _, date) in pairs
        ]
        try:
            for fault in await self._tree.writer.commit(new):
                if fault is not None:
                    raise fault
            added = await self._numbered()
        except Exception:
            if not self._committed:  # else a look shows them
                await files.thread(_give_up, new)
            raise
        return Appended(live.row.uid_validity, [message.uid for message in added])

    async def _numbered(self) -> Sequence[Message]:
        """Rows for the files.

        Another process may be faster again and again; the files are not written anew
        for that, as the turn would do."""
        files = self._tree.files
        until = files.reactor.seconds() + CATCH_UP_S
        while True:
            arrival, leaving = self._arrival(), self._leaving()
            try:
                arrival, departure = await files.thread(self._record, arrival, leaving)
            except Behind as behind:
                files.caught_up(behind, until)
                continue
            if leaving is None:
                files.applied(self._live, arrival)
            else:
                leaving.applied(arrival, departure)
            return arrival.added

    def _arrival(self) -> Delta:
        live = self._live
        spelling = Spelling(live.names)
        modseq, now = live.row.highest_modseq + 1, int(time.time())
        added: list[Message] = []
        for uid, (spool, flags, date) in enumerate(self._uploads, live.row.uid_next):
            octets, base = spool.octets, self._bases[len(added)]
            info, keywords = spelling.written(spelling.named(flags))
            added.append(
                Message(uid, base, info, keywords, modseq, octets, octets, date, now)
            )
        return _arrival(live, added, spelling.letters if spelling.added else None)

    def _leaving(self) -> _Leaving | None:
        if self._replaced is None:
            return None
        live, uid = self._replaced
        messages = live.messages([uid])
        if not messages:
            raise MessageGone()
        return _Leaving(self._tree.files, live, self._live, messages)

    def _record(self, arrival: Delta, leaving: _Leaving | None) -> tuple[Delta, Delta]:
        """In a thread; the second delta is of the mailbox that a message leaves."""
        files, into = self._tree.files, self._live
        lives = (into,) if leaving is None else (leaving.live, into)
        departure = arrival
        with files.transaction(*lives):
            files.record(into, arrival)
            if leaving is not None:
                departure = leaving.recorded(arrival)
            files.counting.reserve(bounded=self._bounded)
        self._committed = True
        if leaving is not None:
            return leaving.finished(arrival, departure)
        return evolve(arrival, stamp=_shown(into, arrival.added)), departure


def _give_up(new: Sequence[NewFile]) -> None:
    for file in new:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{file.maildir}/{file.into}/{file.name}")
