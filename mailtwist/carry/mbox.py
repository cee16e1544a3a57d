"""Mbox files as an end: one file, or a tree with a file for each mailbox.

In a tree the file INBOX (in any case) is INBOX, and what is below a mailbox lies in
NAME.sbd, as Thunderbird has it; any other folder is a part of a name too.  In names
that are made `%XX` stands for what no file name may have.  The date of the From_ line
is the internal date, in local time.  A message's key is made of its octets.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import IO
from urllib.parse import unquote

from attrs import frozen

from ..errors import MailError
from ..flags import Flags
from ..mailbox.model import INBOX, Path
from ..mime import mbox, mbox_marks
from ..store.mbox import inbox
from ..store.mbox.journal import Part, repair, rewrite
from ..store.mbox.lock import waited_for
from .eml import MOST_DEPTH, file_name
from .files import FileEnd
from .maildir import READ, folder_order
from .model import Folder, Item, Letter, Listed

BELOW = ".sbd"
LOCK_S = 60.0  # while another program has it
LOOK_OCTETS = 1 << 20  # read at a time


@frozen
class _Place:
    """A message in a file: from its From_ line to the next."""

    start: int
    behind: int  # the From_ line
    end: int
    flags: Flags


class MboxEnd(FileEnd):
    """`path` is a file, or a folder, which is made as a target."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._places: dict[Path, dict[str, _Place]] = {}

    # -- files ----------------------------------------------------------------

    def folders(self) -> list[Folder]:
        found = {path for path, _ in self._walk()}
        return [Folder(path) for path in sorted(found, key=folder_order)]

    def _walk(self) -> Iterator[tuple[Path, str]]:
        """(mailbox, its file)"""
        if os.path.isfile(self.path):
            yield INBOX, self.path
            return
        waiting: list[tuple[Path, str]] = [((), self.path)]
        while waiting:
            path, folder = waiting.pop()
            try:
                names = sorted(os.listdir(folder))
            except FileNotFoundError:
                continue
            for name in names:
                place = os.path.join(folder, name)
                seen = os.lstat(place)
                if name[0] == ".":
                    continue
                if stat.S_ISDIR(seen.st_mode) and len(path) < MOST_DEPTH:
                    waiting.append((_below(path, name.removesuffix(BELOW)), place))
                elif stat.S_ISREG(seen.st_mode) and is_mbox(place):
                    yield _below(path, name), place

    def _file(self, path: Path) -> str:
        for known, file in self._walk():
            if known == path:
                return file
        if os.path.isfile(self.path):
            raise MailError("One mbox has one mailbox, which is INBOX")
        names = [file_name(part) for part in path]
        parents = [name + BELOW for name in names[:-1]]
        return os.path.join(self.path, *parents, names[-1])

    def make(self, folder: Folder) -> None:
        file = self._file(folder.path)
        inbox.make(file)

    # -- what is there --------------------------------------------------------

    def listed(self, path: Path) -> Listed:
        with _opened(self._file(path), writes=False) as file:
            return Listed("", self._items(path, file))

    def _items(self, path: Path, file: IO[bytes]) -> list[Item]:
        items, places = [], {}
        often: dict[str, int] = defaultdict(int)
        for start, behind, end in _bounds(file):
            file.seek(start)
            date = mbox.date_in(file.read(behind - start))
            octets, marks = _read(file, behind, end)
            if marks.pseudo:
                continue
            digest = hashlib.sha256(octets).hexdigest()[:40]
            often[digest] += 1
            key = f"{digest}-{often[digest]}"
            places[key] = _Place(start, behind, end, marks.flags)
            items.append(Item(key, marks.flags, _seconds(date), len(octets)))
        self._places[path] = places
        return items

    def read(self, path: Path, keys: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = []
        with _opened(self._file(path), writes=False) as file:
            for key in keys:
                octets = self._one(path, file, key)
                if octets is None:  # the file was changed meanwhile
                    self._items(path, file)
                    octets = self._one(path, file, key)
                found.append(octets)
        return found

    def _one(self, path: Path, file: IO[bytes], key: str) -> bytes | None:
        place = self._places.get(path, {}).get(key)
        if place is None:
            return None
        octets, _ = _read(file, place.behind, place.end)
        same = hashlib.sha256(octets).hexdigest()[:40] == key.partition("-")[0]
        return octets if same else None

    # -- what changes ---------------------------------------------------------

    def add(self, path: Path, letters: Sequence[Letter]) -> list[str]:
        name = self._file(path)
        inbox.make(name)
        with _opened(name, writes=True) as file:
            held = {item.key for item in self._items(path, file)}
            end = file.seek(0, os.SEEK_END)
            parts: list[Part] = [(0, end), *map(_written, letters)]
            rewrite(_journal(name), file.fileno(), parts)
            added = [
                item.key for item in self._items(path, file) if item.key not in held
            ]
        if len(added) != len(letters):
            raise MailError(f"{name!a} was changed by another program")
        return added

    def set_flags(self, path: Path, changes: Sequence[tuple[str, Flags]]) -> None:
        self._rewrite(path, dict(changes))

    def remove(self, path: Path, keys: Sequence[str]) -> None:
        self._rewrite(path, dict.fromkeys(keys))

    def _rewrite(self, path: Path, changes: dict[str, Flags | None]) -> None:
        """With these flags, without those that have None; all of it or nothing."""
        name = self._file(path)
        with _opened(name, writes=True) as file:
            items = self._items(path, file)
            places = self._places[path]
            parts: list[Part] = []
            for item in items:
                place = places[item.key]
                flags = changes.get(item.key, item.flags)
                if flags == item.flags:
                    parts.append((place.start, place.end))
                elif flags is not None:
                    octets, _ = _read(file, place.behind, place.end)
                    parts.append(_written(Letter(octets, flags, item.internal_date)))
            rewrite(_journal(name), file.fileno(), parts)


# -- a file -----------------------------------------------------------------------


@contextmanager
def _opened(path: str, *, writes: bool) -> Iterator[IO[bytes]]:
    """The file under the locks that all programs take, and whole."""
    unfinished = os.path.exists(_journal(path))
    try:
        lock = waited_for(path, writes=writes or unfinished, most_s=LOCK_S)
    except FileNotFoundError:
        raise MailError(f"{path!a} is not there") from None
    try:
        if lock.writes:
            repair(_journal(path), lock.descriptor, lock.touch)
        mode = "r+b" if lock.writes else "rb"
        with open(lock.descriptor, mode, closefd=False) as file:
            yield file
    finally:
        lock.release()


def _journal(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.mailtwist-journal")


def _bounds(file: IO[bytes]) -> Iterator[tuple[int, int, int]]:
    """(start, end of its From_ line, end) of each message."""
    starts = mbox.Starts()
    last: tuple[int, int] | None = None
    at = file.seek(0)
    while True:
        file.seek(at)
        octets = file.read(LOOK_OCTETS)
        if not octets:
            break
        at += len(octets)
        for found in starts.take(octets):
            if last is not None:
                yield *last, found[0]
            last = found
    if last is not None:
        yield *last, at


def _read(file: IO[bytes], behind: int, end: int) -> tuple[bytes, mbox_marks.Marks]:
    file.seek(behind)
    stored = file.read(end - behind)
    marks = mbox_marks.marks_in(mbox.header_of(stored))
    form = mbox.form_in(stored, marks.form)
    return mbox.Decoder(form).take(mbox.without_end(stored, form)), marks


def _written(letter: Letter) -> bytes:
    """A message as it stands in a file."""
    form = mbox.survey([letter.octets])
    date = datetime.fromtimestamp(letter.internal_date)  # noqa: DTZ006 - by tradition
    marks = mbox_marks.Marks(letter.flags, old=True, form=form)
    parts = [mbox.from_line(b"MAILER-DAEMON", date), mbox_marks.block(marks)]
    return b"".join([*parts, *mbox.encoded([letter.octets], form)])


def _seconds(date: datetime | None) -> int:
    with suppress(ValueError, OverflowError, OSError):
        return 0 if date is None else int(date.timestamp())
    return 0


def _below(path: Path, name: str) -> Path:
    below = (*path, unquote(name, errors="surrogateescape"))
    if len(below) == 1 and below[0].upper() == "INBOX":
        return INBOX
    return below


def is_mbox(path: str) -> bool:
    """True for an empty plain file, and one that begins as an mbox does."""
    try:
        descriptor = os.open(path, READ)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        line = file.readline(mbox.MOST_FROM + 1)
    return not line or mbox.is_from_line(line)
