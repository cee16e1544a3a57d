"""One mailbox in memory: columns that every session of the process shares.

It changes by `apply` alone, on the reactor's thread and within the account's turn; so
a thread that works for the turn may read it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from itertools import compress
from operator import add
from typing import Any

from attrs import define, field, frozen
from twisted.logger import Logger

from ...flags import DELETED, SEEN, Flags
from ...mailbox.model import Changes, MailboxStatus, MessageRows, Path
from ...mailbox.watchers import Watchers
from ..state import MailboxRow, Message
from .keywords import FlagNames

log = Logger()

Stamp = tuple[int, int]  # mtime_ns of new/ and cur/

MOST_HISTORY = 50_000  # UIDs of recent changes that are remembered
FEW_RUNS = 50  # of neighbours, cut out of the columns one by one


@frozen
class Delta:
    """What a thread found or did: new and changed messages, and UIDs that are gone.

    `stamp` is the folder's afterwards; `certain` says that nothing can have happened
    there unseen, `listed` that all of it was looked at.
    """

    row: MailboxRow
    added: Sequence[Message] = ()
    changed: Sequence[Message] = ()
    vanished: Sequence[int] = ()
    letters: dict[str, str] | None = None  # keywords by letter, if they changed
    stamp: Stamp | None = None
    certain: bool = False
    listed: bool = False

    @property
    def empty(self) -> bool:
        changed = self.added or self.changed or self.vanished
        return not changed and self.letters is None


@define(eq=False)
class Live:
    """The columns, ascending by UID."""

    path: Path
    folder: str
    row: MailboxRow
    names: FlagNames
    uids: list[int] = field(factory=list)
    bases: list[str] = field(factory=list)
    infos: list[str] = field(factory=list)
    keywords: list[str] = field(factory=list)
    modseqs: list[int] = field(factory=list)
    octets: list[int] = field(factory=list)
    file_octets: list[int] = field(factory=list)
    internal_dates: list[int] = field(factory=list)
    flags: list[Flags] = field(factory=list)
    removed: set[str] = field(factory=set)  # bases of files to unlink
    stamp: Stamp | None = None  # at the last look
    doubted_at: float | None = None  # since when something may be hidden behind it
    handles: int = 0
    gone: bool = False
    unseen: int = 0
    deleted: int = 0
    deleted_octets: int = 0
    total_octets: int = 0
    total_file_octets: int = 0
    history_from: int = 0  # `_history` holds what happened after this MODSEQ
    saved_as: tuple[object, ...] = ()  # see `columns`
    _by_base: dict[str, int] | None = None
    _history: deque[tuple[int, list[int], list[int]]] = field(factory=deque)
    _remembered: int = 0
    _watchers: Watchers[int] = field(factory=Watchers)

    def fill(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """The messages as the state has them, in a thread, before anybody sees it."""
        self._extend(rows)
        self.history_from = self.row.highest_modseq

    def restore(
        self, columns: dict[str, list[Any]], totals: dict[str, int], row: MailboxRow
    ) -> None:
        """As `fill`, from whole columns by attribute, as they were when the state had
        this row."""
        for name, value in (columns | totals).items():
            setattr(self, name, value)
        self.row, self.history_from = row, row.highest_modseq

    # -- looking --------------------------------------------------------------

    @property
    def by_base(self) -> dict[str, int]:
        """UIDs by base; made when first asked for, by whoever has the turn."""
        if self._by_base is None:
            self._by_base = dict(zip(self.bases, self.uids, strict=True))
        return self._by_base

    def __len__(self) -> int:
        return len(self.uids)

    def index(self, uid: int) -> int | None:
        """Where `uid` stands, or None."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def run(self, uids: Sequence[int]) -> range | None:
        """Where `uids` stand if they are here as neighbours in this order."""
        start = bisect_left(self.uids, uids[0]) if uids else 0
        stop = start + len(uids)
        return range(start, stop) if self.uids[start:stop] == uids else None

    def places(self, uids: Sequence[int]) -> Sequence[int]:
        """Where those of `uids` stand that are here, in the order asked."""
        run = self.run(uids)
        if run is not None:
            return run
        if len(uids) * 8 < len(self.uids):
            return [at for at in map(self.index, uids) if at is not None]
        known = dict(zip(self.uids, range(len(self.uids)), strict=True))
        return [known[uid] for uid in uids if uid in known]

    def new_words(self, delta: Delta) -> list[tuple[int, str]]:
        """(UID, keywords without a letter) of messages that get some, or may lose
        some."""
        others = self.names.others
        found = [(m.uid, m.keywords) for m in delta.added if m.keywords]
        changed = delta.changed
        return found + [(m.uid, m.keywords) for m in changed if m.keywords or others]

    def words(self) -> list[tuple[int, str]]:
        """(UID, keywords without a letter) of messages that have some."""
        if not any(self.keywords):
            return []
        pairs = zip(self.uids, self.keywords, strict=True)
        return [(uid, some) for uid, some in pairs if some]

    def message(self, at: int) -> Message:
        return Message(
            self.uids[at],
            self.bases[at],
            self.infos[at],
            self.keywords[at],
            self.modseqs[at],
            self.octets[at],
            self.file_octets[at],
            self.internal_dates[at],
            0,
        )

    def messages(self, uids: Sequence[int]) -> list[Message]:
        """Those of `uids` that are here, in the order asked."""
        return list(map(self.message, self.places(uids)))

    def filename(self, at: int) -> str:
        return self.bases[at] + self.infos[at]

    def filenames(self) -> set[str]:
        """What cur/ should hold."""
        return set(map(add, self.bases, self.infos))

    def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        if uids is None:
            return MessageRows(
                self.uids[:],
                self.modseqs[:],
                self.flags[:],
                self.octets[:],
                self.internal_dates[:],
            )
        run = self.run(uids)
        if run is not None:
            part = slice(run.start, run.stop)
            return MessageRows(
                self.uids[part],
                self.modseqs[part],
                self.flags[part],
                self.octets[part],
                self.internal_dates[part],
            )
        return self._rows_at(self.places(uids))

    def _rows_at(self, places: Sequence[int]) -> MessageRows:
        return MessageRows(
            [self.uids[at] for at in places],
            [self.modseqs[at] for at in places],
            [self.flags[at] for at in places],
            [self.octets[at] for at in places],
            [self.internal_dates[at] for at in places],
        )

    def vanished_after(self, modseq: int) -> list[int] | None:
        """UIDs that went after `modseq`; None if that is longer ago than we know."""
        if modseq < self.history_from:
            return None
        return sorted(
            uid for at, _, gone in self._history if at > modseq for uid in gone
        )

    def changes(self, modseq: int, vanished: list[int], complete: bool) -> Changes:
        """What happened after `modseq`, given what vanished and whether that is all."""
        highest = self.row.highest_modseq
        if modseq >= highest:
            return Changes(highest, MessageRows(), [])
        if modseq < self.history_from:
            places = [at for at, value in enumerate(self.modseqs) if value > modseq]
            return Changes(highest, self._rows_at(places), vanished, complete)
        touched = {
            uid for at, uids, _ in self._history if at > modseq for uid in uids
        }.difference(vanished)
        found = self.places(sorted(touched))
        places = [at for at in found if self.modseqs[at] > modseq]
        return Changes(highest, self._rows_at(places), vanished)

    def status(self) -> MailboxStatus:
        recent = len(self.uids) - bisect_left(self.uids, self.row.recent_from)
        return MailboxStatus(
            messages=len(self.uids),
            recent=recent,
            unseen=self.unseen,
            deleted=self.deleted,
            deleted_octets=self.deleted_octets,
            octets=self.total_octets,
            uid_next=self.row.uid_next,
            uid_validity=self.row.uid_validity,
            highest_modseq=self.row.highest_modseq,
            object_id=self.row.object_id,
        )

    # -- changing -------------------------------------------------------------

    def apply(self, delta: Delta) -> None:
        """Put in what a thread did; tells the watchers if anything changed."""
        if delta.letters is not None:
            self._rename_flags(delta.letters)
        gone = self._remove(delta.vanished)
        for message in delta.changed:
            self._set(message)
        self._extend(delta.added)
        told = delta.row.highest_modseq != self.row.highest_modseq
        self.row = delta.row
        if told:
            touched = [message.uid for message in (*delta.changed, *delta.added)]
            self._remember(touched, gone)
            self.publish()

    def _rename_flags(self, letters: dict[str, str]) -> None:
        """Letters that had no name may stand in file names already."""
        fresh = [letter for letter in letters if letter not in self.names.letters]
        self.names = FlagNames(letters)
        if any(letter in info for info in set(self.infos) for letter in fresh):
            self.flags = self.names.column(self.infos, self.keywords)
        else:
            for key in set(zip(self.infos, self.keywords, strict=True)):
                self.names.flags(*key)

    def _set(self, message: Message) -> None:
        at = self.index(message.uid)
        if at is None:
            return
        flags = self.names.flags(message.info, message.keywords)
        self._count(self.flags[at], self.octets[at], -1)
        self._count(flags, self.octets[at], 1)
        self.infos[at], self.keywords[at] = message.info, message.keywords
        self.modseqs[at], self.flags[at] = message.modseq, flags

    def _extend(self, messages: Sequence[tuple[Any, ...]]) -> None:
        """Put messages, or rows with their values, behind those that are here."""
        if not messages:
            return
        columns = zip(*messages, strict=True)
        uids, bases, infos, keywords, modseqs, octets, file_octets, dates, *_ = columns
        flags = self.names.column(infos, keywords)
        self.uids += uids
        self.bases += bases
        self.infos += infos
        self.keywords += keywords
        self.modseqs += modseqs
        self.octets += octets
        self.file_octets += file_octets
        self.internal_dates += dates
        self.flags += flags
        if self._by_base is not None:
            self._by_base.update(zip(bases, uids, strict=True))
        self.unseen += sum([SEEN not in each for each in flags])
        marked = [n for n, each in zip(octets, flags, strict=True) if DELETED in each]
        self.deleted += len(marked)
        self.deleted_octets += sum(marked)
        self.total_octets += sum(octets)
        self.total_file_octets += sum(file_octets)

    def _count(self, flags: Flags, octets: int, sign: int) -> None:
        if SEEN not in flags:
            self.unseen += sign
        if DELETED in flags:
            self.deleted += sign
            self.deleted_octets += sign * octets

    def _remove(self, uids: Sequence[int]) -> list[int]:
        places = self.places(uids)
        if not places:
            return []
        gone = [self.uids[at] for at in places]
        for at in places:
            self._count(self.flags[at], self.octets[at], -1)
            self.total_octets -= self.octets[at]
            self.total_file_octets -= self.file_octets[at]
            if self._by_base is not None:
                self._by_base.pop(self.bases[at], None)
        columns: tuple[list[Any], ...] = (
            self.uids,
            self.bases,
            self.infos,
            self.keywords,
            self.modseqs,
            self.octets,
            self.file_octets,
            self.internal_dates,
            self.flags,
        )
        runs = _runs(sorted(places))
        if len(runs) <= FEW_RUNS:
            for start, stop in runs:
                for column in columns:
                    del column[start:stop]
        else:
            keep = bytearray(b"\1") * len(self.uids)
            for start, stop in runs:
                keep[start:stop] = bytes(stop - start)
            for column in columns:
                column[:] = compress(column, keep)
        return gone

    def _remember(self, touched: list[int], gone: list[int]) -> None:
        self._history.append((self.row.highest_modseq, touched, gone))
        self._remembered += len(touched) + len(gone)
        while self._remembered > MOST_HISTORY and self._history:
            modseq, old_touched, old_gone = self._history.popleft()
            self._remembered -= len(old_touched) + len(old_gone)
            self.history_from = modseq

    # -- telling --------------------------------------------------------------

    def publish(self) -> None:
        self._watchers.tell(self.row.highest_modseq)

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        return self._watchers.add(changed)


def _runs(places: list[int]) -> list[tuple[int, int]]:
    """Half-open runs of neighbours, the last first."""
    runs: list[tuple[int, int]] = []
    for at in reversed(places):
        if runs and runs[-1][0] == at + 1:
            runs[-1] = (at, runs[-1][1])
        else:
            runs.append((at, at + 1))
    return runs
