"""Looking at a folder: what came, what went, which flags other programs changed.

Runs in a thread, inside a state transaction.  New files are renamed from new/ to cur/,
get a UID in the order they were delivered and only then, when the transaction is
durable, is anybody told.  A crash in between leaves a file in cur/ without a UID, which
the next look takes in.

A message that we add or move in waits in cur/ under a name that begins with PENDING
until its row is durable.  So a look that finds such a file finishes what a crash
interrupted: with a row it becomes visible, without one it was never promised.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Sequence

from attrs import define, evolve, field

from ..state import Message
from . import content
from .live import Delta, Live, Stamp
from .names import INFO, UniqueNames, sizes_in
from .uidlist import UidList

PENDING = ".mailtwist-"
ABANDONED_S = 3600.0  # after that a pending file without a row is nobody's

# A folder whose time stamp is younger may change again without a new stamp: some file
# systems count whole seconds.
TICK_NS = 1_100_000_000

_USUAL_TIME = re.compile(r"\d{10}\.M\d{6}\D", re.ASCII)
_TIME = re.compile(r"(\d{1,12})(?:\.M(\d{1,9}))?")


def stamp_of(folder: str) -> Stamp:
    return (
        os.stat(f"{folder}/new").st_mtime_ns,
        os.stat(f"{folder}/cur").st_mtime_ns,
    )


def listed_new(folder: str) -> list[str]:
    """The files in new/."""
    with os.scandir(f"{folder}/new") as entries:
        return [e.name for e in entries if e.is_file(follow_symlinks=False)]


def intake(
    live: Live,
    names: UniqueNames,
    seen: Stamp | None,
    new: Sequence[str] | None = None,
    flying: frozenset[str] = frozenset(),
) -> Delta:
    """Everything that differs from `live`; the state is the caller's.

    `seen` is the stamp of the last look: if cur/ is as it was then, it is not listed.
    `new` are the files in new/ to take, if not all; what has a base in `flying` is not
    durable yet, and left for a look that is to come soon.
    """
    began = time.time_ns()
    before = stamp_of(live.folder)
    look = _Look(live, names, flying)
    look.take_new(listed_new(live.folder) if new is None else new)
    listed = seen is None or seen[1] != before[1]
    if listed:
        look.compare()
    added = look.added()
    after = stamp_of(live.folder) if look.touched else before
    modseq = live.row.highest_modseq + 1
    delta = Delta(
        live.row,
        added,
        look.changed,
        sorted(look.vanished),
        stamp=None if look.passed else after,
        certain=not look.touched and max(before) < began - TICK_NS,
        listed=listed,
    )
    if delta.empty:
        return delta
    uid_next = added[-1].uid + 1 if added else live.row.uid_next
    return evolve(delta, row=evolve(live.row, uid_next=uid_next, highest_modseq=modseq))


@define
class _Look:
    live: Live
    names: UniqueNames
    flying: frozenset[str] = frozenset()
    passed: bool = False  # something of `flying` was there
    touched: bool = False  # something was renamed or unlinked by us
    fresh: dict[str, str] = field(factory=dict)  # info by base, of files without a UID
    delivered: set[str] = field(factory=set)  # bases of those that were in new/
    changed: list[Message] = field(factory=list)
    vanished: list[int] = field(factory=list)

    @property
    def cur(self) -> str:
        return f"{self.live.folder}/cur"

    # -- new/ -----------------------------------------------------------------

    def take_new(self, names: Sequence[str]) -> None:
        """new/NAME becomes cur/NAME:2, unless somebody else was faster."""
        folder = f"{self.live.folder}/new"
        for name in sorted(names):
            if name[0] == ".":
                continue
            base, info = split(name)
            if base in self.flying:
                self.passed = True
                continue
            if base in self.live.removed:
                self._unlink(f"{folder}/{name}")
                continue
            if not info.startswith(INFO):
                info = INFO
            if (
                not _storable(name)
                or base in self.live.by_base
                or base in self.fresh
                or os.path.lexists(f"{self.cur}/{base}{info}")
            ):
                base = self._other_base(f"{folder}/{name}")
            try:
                os.rename(f"{folder}/{name}", f"{self.cur}/{base}{info}")
            except FileNotFoundError:
                continue
            self.touched = True
            self.fresh[base] = info
            self.delivered.add(base)

    # -- cur/ -----------------------------------------------------------------

    def compare(self) -> None:
        """Compare cur/ with what it should hold."""
        expected = self.live.filenames()
        present = set(os.listdir(self.cur))
        extra, lost = present - expected, expected - present
        if lost:  # a listing may miss a file that is renamed meanwhile
            again = set(os.listdir(self.cur))
            extra |= again - expected
            lost -= again
        for base in list(self.fresh):
            if f"{base}{self.fresh[base]}" not in extra:
                del self.fresh[base]  # gone again, or renamed: then it is in `extra`
        known, fresh, removed = self.live.by_base, self.fresh, self.live.removed
        for name in sorted(extra):
            base, info = split(name)
            if name[0] == ".":
                self._pending(name, lost)
            elif base in self.flying:
                self.passed = True
            elif (
                base not in known
                and base not in fresh
                and base not in removed
                and _storable(name)
            ):
                fresh[base] = info  # unless `added` finds that it is no file
            elif is_file(f"{self.cur}/{name}"):
                self._meet(name, lost)
        self.vanished = [
            self.live.by_base[split(name)[0]]
            for name in lost
            if not os.path.lexists(f"{self.cur}/{name}")
        ]

    def _meet(self, name: str, lost: set[str]) -> None:
        """A file in cur/ that no row has under that name."""
        base, info = split(name)
        if base in self.live.removed:
            self._unlink(f"{self.cur}/{name}")
            return
        if not _storable(name):
            self._rebase(name, info)
            return
        uid = self.live.by_base.get(base)
        at = None if uid is None else self.live.index(uid)
        if at is None:
            if self.fresh.get(base, info) != info:
                self._second(name, f"{base}{self.fresh[base]}", info)
            else:
                self.fresh[base] = info
            return
        known = self.live.filename(at)
        if known in lost:
            lost.discard(known)
            modseq = self.live.row.highest_modseq + 1
            self.changed.append(
                self.live.message(at)._replace(info=info, modseq=modseq)
            )
        else:
            self._second(name, known, info)

    def _second(self, name: str, first: str, info: str) -> None:
        """Two names with one base: a rename that was listed twice, or two messages."""
        try:
            one, other = os.lstat(f"{self.cur}/{name}"), os.lstat(f"{self.cur}/{first}")
        except FileNotFoundError:
            self.touched = True  # so the next look lists again
            return
        if os.path.samestat(one, other):
            self._unlink(f"{self.cur}/{name}")
        else:
            self._rebase(name, info)

    def _rebase(self, name: str, info: str) -> None:
        """Give a message a base of its own."""
        base = self._other_base(f"{self.cur}/{name}")
        if not _storable(info):
            info = INFO
        try:
            os.rename(f"{self.cur}/{name}", f"{self.cur}/{base}{info}")
        except FileNotFoundError:
            return
        self.touched = True
        self.fresh[base] = info

    def _other_base(self, path: str) -> str:
        try:
            octets = os.lstat(path).st_size
        except FileNotFoundError:
            octets = 0
        return self.names.base(octets, content.crlf_octets(path, octets))

    def _pending(self, name: str, lost: set[str]) -> None:
        """See the module: finish what a crash interrupted."""
        if not name.startswith(PENDING):
            return
        path = f"{self.cur}/{name}"
        base, _ = split(name[len(PENDING) :])
        uid = self.live.by_base.get(base)
        at = None if uid is None else self.live.index(uid)
        if at is not None and self.live.filename(at) in lost:
            os.rename(path, f"{self.cur}/{self.live.filename(at)}")
            lost.discard(self.live.filename(at))
            self.touched = True
        elif at is None and older(path, ABANDONED_S):
            self._unlink(path)

    def _unlink(self, path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        self.touched = True

    # -- what is new ----------------------------------------------------------

    def added(self) -> list[Message]:
        """Messages for files that have no UID yet; one that vanished is left out."""
        row, now, cur = self.live.row, int(time.time()), self.cur
        modseq, uid = row.highest_modseq + 1, row.uid_next
        found: list[Message] = []
        for base in by_age(self.fresh):
            info = self.fresh[base]
            message = read_message(
                cur, base, info, uid, modseq, now, delivered=base in self.delivered
            )
            if message is not None:
                found.append(message)
                uid += 1
        return found


def read_message(
    cur: str,
    base: str,
    info: str,
    uid: int,
    modseq: int,
    now: int,
    *,
    delivered: bool = False,
) -> Message | None:
    """A Message for a file; None if there is none that we may read.

    One `delivered` to new/ was saved when it was written; what others put into cur/,
    when it got its name there.
    """
    path = f"{cur}/{base}{info}"
    try:
        seen = os.lstat(path)
        if not stat.S_ISREG(seen.st_mode):
            return None
        size = seen.st_size
        noted, octets = sizes_in(base)
        if octets is None or noted != size:
            octets = content.crlf_octets(path, size)
    except (FileNotFoundError, PermissionError):
        return None
    written, named = int(seen.st_mtime), int(seen.st_ctime)
    saved_at = min(now, written if delivered else named)
    return Message(uid, base, info, "", modseq, octets, size, written, saved_at)


def salvaged(folder: str, kept: UidList, modseq: int, now: int) -> Iterable[Message]:
    """The messages in cur/ that a uidlist has UIDs for, by UID."""
    cur, uids = f"{folder}/cur", kept.uids
    names = dict(map(split, os.listdir(cur)))
    known = sorted((uids[base], base) for base in names if base in uids)
    for uid, base in known:
        message = None
        if _storable(base + names[base]):
            message = read_message(cur, base, names[base], uid, modseq, now)
        if message is not None:
            yield message._replace(keywords=kept.without_letter.get(base, ""))


def located(folder: str) -> Callable[[str], str | None]:
    """Where the file of a base is now: cur/ is listed when first asked."""
    names: dict[str, str] | None = None

    def find(base: str) -> str | None:
        nonlocal names
        if names is None:
            found = os.listdir(f"{folder}/cur")
            names = {split(name)[0]: name for name in found if name[0] != "."}
        return names.get(base)

    return find


def split(name: str) -> tuple[str, str]:
    """(base, info part with its colon) of a file name."""
    base, colon, info = name.partition(":")
    return base, colon + info


def age(name: str) -> tuple[int, int, str]:
    """Delivery order: the time in the name, to the microsecond if it is there."""
    found = _TIME.match(name)
    if not found:
        return 0, 0, name
    return int(found[1]), int(found[2] or 0), name


def by_age(names: Iterable[str]) -> list[str]:
    """Sorted by `age`; numbers of one width sort as text, which is quick."""
    names = list(names)
    if all(map(_USUAL_TIME.match, names)):
        return sorted(names)
    return sorted(names, key=age)


def _storable(name: str) -> bool:
    """False for octets that are no text or no line, and so no name in the state."""
    return name.isprintable()


def is_file(path: str) -> bool:
    """True for a plain file."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def older(path: str, seconds: float) -> bool:
    try:
        return os.lstat(path).st_ctime < time.time() - seconds
    except FileNotFoundError:
        return False
