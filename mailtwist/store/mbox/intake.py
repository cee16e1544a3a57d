"""What differs between an mbox file and what the state says of it.

Messages are known again by their octets, whatever others did around them.  What is new
gets UIDs above all others; only where the state was lost do those in the file, or in
our own list beside the state, come back.  Runs in a thread, under a lock, inside a
state transaction.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime

from attrs import define, evolve, field

from ...errors import OverQuota
from ...flags import Flags
from ...mime.mbox import MOST_FROM, date_in
from ..maildir import uidlist
from ..maildir.keywords import Spelling
from ..maildir.live import Delta, Live, Stamp
from ..state import MailboxRow, Message
from .scan import Entry, Layout, looked

YOUNG_NS = 20_000_000  # a file changed since then may change again with the same time
TICK_NS = 1_100_000_000  # where file systems count whole seconds


@define(eq=False)
class MboxLive(Live):
    """`layout` is the file's at the last look."""

    layout: Layout = field(factory=Layout)


def mine(live: Live) -> MboxLive:
    """The live mailbox of an mbox account, which has no others."""
    if not isinstance(live, MboxLive):
        raise TypeError(f"{live.path} is no mbox")
    return live


def intake(live: MboxLive, descriptor: int, beside: str) -> tuple[Delta, Layout]:
    """Everything that differs from `live`; `beside` has the uidlist."""
    seen = os.fstat(descriptor)
    kept, fresh = looked(descriptor, live.layout)
    look = _Look(live, descriptor, {entry.uid for entry in kept})
    look.compare(fresh, _salvage(live, beside))
    modseq = live.row.highest_modseq + 1
    spelling = look.spelling
    delta = Delta(
        live.row,
        look.added,
        look.changed,
        sorted(uid for uids in look.missing.values() for uid in uids),
        letters=spelling.letters if spelling.added else None,
        stamp=(seen.st_ctime_ns, seen.st_size),
        certain=_settled(seen.st_ctime_ns),
        listed=True,
    )
    if not delta.empty:
        row = evolve(live.row, uid_next=look.uid_next, highest_modseq=modseq)
        delta = evolve(delta, row=row)
    return delta, Layout.of(kept + fresh, seen.st_size)


def _settled(changed_ns: int) -> bool:
    """True if a later change has a later time."""
    age_ns = time.time_ns() - changed_ns
    return age_ns > (YOUNG_NS if changed_ns % 1_000_000_000 else TICK_NS)


def stamp_of(descriptor: int) -> Stamp:
    seen = os.fstat(descriptor)
    return seen.st_ctime_ns, seen.st_size


# -- who is who -------------------------------------------------------------------


def is_salvaged(row: MailboxRow) -> bool:
    """True from the adoption of a mailbox whose UIDs are known to its first look."""
    return row.highest_modseq == row.vanished_from


def _salvage(live: Live, beside: str) -> dict[str, set[int]] | None:
    """UIDs by key from our own list, of messages that went too; None if the state knows
    all messages."""
    if live.uids or not is_salvaged(live.row):
        return None
    kept, uids = uidlist.read(beside), dict[str, set[int]]()
    for uid, key in ({} if kept is None else kept.bases).items():
        uids.setdefault(key, set()).add(uid)
    return uids


@define
class _Look:
    live: MboxLive
    descriptor: int
    seen: set[int]  # UIDs of messages that are as they were
    missing: dict[str, list[int]] = field(factory=dict)  # by key
    added: list[Message] = field(factory=list)
    changed: list[Message] = field(factory=list)
    uid_next: int = 0
    spelling: Spelling = field(init=False)
    _now: int = field(factory=lambda: int(time.time()))

    def __attrs_post_init__(self) -> None:
        live = self.live
        self.spelling, self.uid_next = Spelling(live.names), live.row.uid_next
        for uid, key in zip(live.uids, live.bases, strict=True):
            if uid not in self.seen:
                self.missing.setdefault(key, []).append(uid)

    def compare(
        self, fresh: Iterable[Entry], salvage: dict[str, set[int]] | None
    ) -> None:
        unknown = []
        validity = None
        for entry in fresh:
            if entry.marks.base is not None and validity is None:
                validity = entry.marks.base.uid_validity
            if entry.marks.pseudo:
                continue
            uids = self.missing.get(entry.key)
            if uids:
                said = entry.marks.uid
                uid = uids[0] if said is None or said not in uids else said
                uids.remove(uid)
                entry.uid = uid
                self._flags(entry)
            else:
                unknown.append(entry)
        if salvage is not None:
            self._salvaged(unknown, salvage, validity == self.live.row.uid_validity)
        for entry in unknown:
            if not entry.uid:
                entry.uid, self.uid_next = self.uid_next, self.uid_next + 1
        unknown.sort(key=lambda entry: entry.uid)
        self.added = list(map(self._message, unknown))

    def _salvaged(
        self, entries: list[Entry], salvage: dict[str, set[int]], in_file: bool
    ) -> None:
        """UIDs that messages had before the state was lost: as our list says, which may
        have several of messages that are alike; or as the file does, without a list.

        `in_file`: UIDs in the file are of this UIDVALIDITY."""
        row, taken = self.live.row, set[int]()
        for entry in entries:
            said = entry.marks.uid if in_file else None
            ours = salvage.get(entry.key, set()) - taken
            if salvage and said not in ours:
                said = max(ours, default=None)
            if said is not None and said < row.uid_next and said not in taken:
                entry.uid = said
                taken.add(said)

    # -- flags ----------------------------------------------------------------

    def _flags(self, entry: Entry) -> None:
        """The file says which flags a message has."""
        live = self.live
        at = live.index(entry.uid)
        if at is None or entry.marks.flags == live.flags[at]:
            return
        info, keywords = self._written(entry.marks.flags, live.infos[at])
        if (info, keywords) != (live.infos[at], live.keywords[at]):
            modseq = live.row.highest_modseq + 1
            message = live.message(at)
            self.changed.append(
                message._replace(info=info, keywords=keywords, modseq=modseq)
            )

    def _written(self, flags: Flags, info: str = ":2,") -> tuple[str, str]:
        """Keywords that find no place any more are left out."""
        spelling = self.spelling
        try:
            return spelling.written(spelling.named(flags), info)
        except OverQuota:
            known = {name.lower() for name in spelling.letters.values()}
            known |= {word.lower() for word in self.live.names.others}
            kept = {f for f in flags if f.startswith("\\") or f.lower() in known}
            return spelling.written(spelling.named(frozenset(kept)), info)

    def _message(self, entry: Entry) -> Message:
        info, keywords = self._written(entry.marks.flags)
        return Message(
            entry.uid,
            entry.key,
            info,
            keywords,
            self.live.row.highest_modseq + 1,
            entry.octets,
            entry.octets,
            self._date(entry),
            self._now,
        )

    def _date(self, entry: Entry) -> int:
        """Of its From_ line, which is in local time; now if that says none."""
        count = min(MOST_FROM, entry.text - entry.start)
        date = date_in(os.pread(self.descriptor, count, entry.start))
        return self._now if date is None else seconds_of(date, self._now)


def seconds_of(date: datetime, default: int) -> int:
    """Seconds since 1970 UTC of a local time; `default` before that."""
    try:
        seconds = int(date.timestamp())
    except (OverflowError, ValueError, OSError):
        return default
    return seconds if seconds >= 0 else default


def local_date(seconds: int) -> datetime:
    """The local time; 1970 for what no From_ line can say."""
    try:
        return datetime.fromtimestamp(max(0, seconds))
    except (OverflowError, ValueError, OSError):
        return datetime(1970, 1, 1)
