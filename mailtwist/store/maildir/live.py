"""One mailbox in memory: columns that every session of the process shares.

Only the reactor's thread touches it.  Threads get copies of what they need and give
back what changed; `apply` puts that in and tells the watchers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field, frozen

from ...flags import DELETED, SEEN, Flags
from ...mailbox.model import Changes, MailboxStatus, MessageRows, Path
from ..state import MailboxRow

Stamp = tuple[int, int]  # mtime_ns of new/ and cur/


@frozen
class Message:
    """One message as the state and the folder have it."""

    uid: int
    base: str
    letters: str
    keywords: str
    modseq: int
    octets: int
    file_octets: int
    internal_date: int


@frozen
class Delta:
    """What a thread found or did: new and changed messages, and UIDs that are gone."""

    row: MailboxRow
    added: Sequence[Message] = ()
    changed: Sequence[Message] = ()
    vanished: Sequence[int] = ()
    letters: dict[str, str] | None = None  # keywords by letter, if they changed
    stamp: Stamp | None = None


@define(eq=False)
class Live:
    """The columns, ascending by UID."""

    path: Path
    folder: str
    row: MailboxRow
    keyword_letters: dict[str, str] = field(factory=dict)
    uids: list[int] = field(factory=list)
    modseqs: list[int] = field(factory=list)
    flags: list[Flags] = field(factory=list)
    octets: list[int] = field(factory=list)
    internal_dates: list[int] = field(factory=list)
    bases: list[str] = field(factory=list)
    letters: list[str] = field(factory=list)
    keywords: list[str] = field(factory=list)
    file_octets: list[int] = field(factory=list)
    stamp: Stamp | None = None
    doubtful: bool = False  # something may have changed within the stamp's tick
    seen_at: float = 0.0
    handles: int = 0
    gone: bool = False
    total_octets: int = 0
    vanish_from: int = 0  # `vanished` holds what went after this MODSEQ
    vanished: list[tuple[int, int]] = field(factory=list)  # (MODSEQ, UID)
    _watchers: dict[object, Callable[[int], None]] = field(factory=dict)
    _flag_sets: dict[tuple[str, str], Flags] = field(factory=dict)

    # -- looking --------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.uids)

    def index(self, uid: int) -> int | None:
        """Where `uid` stands, or None."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def message(self, at: int) -> Message:
        return Message(
            self.uids[at],
            self.bases[at],
            self.letters[at],
            self.keywords[at],
            self.modseqs[at],
            self.octets[at],
            self.file_octets[at],
            self.internal_dates[at],
        )

    def messages(self, uids: Sequence[int]) -> list[Message]:
        """Those of `uids` that are here, in the order asked."""
        return [self.message(at) for at in map(self.index, uids) if at is not None]

    def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        if uids is None or len(uids) == len(self.uids) and list(uids) == self.uids:
            return MessageRows(
                self.uids[:],
                self.modseqs[:],
                self.flags[:],
                self.octets[:],
                self.internal_dates[:],
            )
        return self._rows_at([at for at in map(self.index, uids) if at is not None])

    def _rows_at(self, places: Sequence[int]) -> MessageRows:
        return MessageRows(
            [self.uids[at] for at in places],
            [self.modseqs[at] for at in places],
            [self.flags[at] for at in places],
            [self.octets[at] for at in places],
            [self.internal_dates[at] for at in places],
        )

    def changes(self, modseq: int, vanished: list[int]) -> Changes:
        if modseq >= self.row.highest_modseq:
            return Changes(self.row.highest_modseq, MessageRows(), [])
        places = [at for at, value in enumerate(self.modseqs) if value > modseq]
        return Changes(self.row.highest_modseq, self._rows_at(places), vanished)

    def vanished_after(self, modseq: int) -> list[int] | None:
        """UIDs that went after `modseq`; None if that is longer ago than we know."""
        if modseq < self.vanish_from:
            return None
        return sorted(uid for at, uid in self.vanished if at > modseq)

    def status(self) -> MailboxStatus:
        recent = len(self.uids) - bisect_left(self.uids, self.row.recent_from)
        return MailboxStatus(
            messages=len(self.uids),
            recent=recent,
            unseen=sum(SEEN not in flags for flags in self.flags),
            deleted=sum(DELETED in flags for flags in self.flags),
            octets=self.total_octets,
            uid_next=self.row.uid_next,
            uid_validity=self.row.uid_validity,
            highest_modseq=self.row.highest_modseq,
        )

    def filename(self, at: int) -> str:
        return f"{self.bases[at]}:2,{self.letters[at]}"

    # -- changing -------------------------------------------------------------

    def apply(self, delta: Delta, flags_of: Callable[[str, str], Flags]) -> None:
        """Put in what a thread did; tells the watchers if anything changed."""
        if delta.letters is not None:
            self.keyword_letters = delta.letters
            self._flag_sets.clear()
        self._remove(delta.vanished)
        for message in delta.changed:
            at = self.index(message.uid)
            if at is not None:
                self._set(at, message, flags_of)
        for message in delta.added:
            self._append(message, flags_of)
        told = delta.row.highest_modseq != self.row.highest_modseq
        self.row = delta.row
        if delta.vanished:
            modseq = delta.row.highest_modseq
            self.vanished.extend((modseq, uid) for uid in delta.vanished)
        if told:
            self.publish()

    def _flags(self, message: Message, flags_of: Callable[[str, str], Flags]) -> Flags:
        key = (message.letters, message.keywords)
        found = self._flag_sets.get(key)
        if found is None:
            found = self._flag_sets[key] = flags_of(*key)
        return found

    def _set(
        self, at: int, message: Message, flags_of: Callable[[str, str], Flags]
    ) -> None:
        self.letters[at], self.keywords[at] = message.letters, message.keywords
        self.modseqs[at] = message.modseq
        self.flags[at] = self._flags(message, flags_of)

    def _append(self, message: Message, flags_of: Callable[[str, str], Flags]) -> None:
        self.uids.append(message.uid)
        self.modseqs.append(message.modseq)
        self.flags.append(self._flags(message, flags_of))
        self.octets.append(message.octets)
        self.internal_dates.append(message.internal_date)
        self.bases.append(message.base)
        self.letters.append(message.letters)
        self.keywords.append(message.keywords)
        self.file_octets.append(message.file_octets)
        self.total_octets += message.octets

    def _remove(self, uids: Sequence[int]) -> None:
        places = {at for at in map(self.index, uids) if at is not None}
        if not places:
            return
        self.total_octets -= sum(self.octets[at] for at in places)
        keep = [at for at in range(len(self.uids)) if at not in places]
        columns: tuple[list[Any], ...] = (
            self.uids,
            self.modseqs,
            self.flags,
            self.octets,
            self.internal_dates,
            self.bases,
            self.letters,
            self.keywords,
            self.file_octets,
        )
        for column in columns:
            column[:] = [column[at] for at in keep]

    # -- telling --------------------------------------------------------------

    def publish(self) -> None:
        for changed in list(self._watchers.values()):
            changed(self.row.highest_modseq)

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        key = object()
        self._watchers[key] = changed
        return lambda: self._watchers.pop(key, None) and None
