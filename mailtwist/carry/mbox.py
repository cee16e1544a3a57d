"""Mbox files as an end: one file, or a tree with a file for each mailbox.

In a tree the file INBOX (in any case) is INBOX, and what is below a mailbox lies in
NAME.sbd, as Thunderbird has it; any other folder is a part of a name too.  In names
that are made `%XX` stands for what no file name may have.  The date of the From_ line
is the internal date, in local time.  A message's key is made of its octets.
"""

from __future__ import annotations

import fcntl
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
from ..store.maildir import durable
from .eml import MOST_DEPTH, file_name
from .files import FileEnd
from .maildir import READ, folder_order
from .model import Folder, Item, Letter, Listed

BELOW = ".sbd"
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
        durable.make_directories([os.path.dirname(file)])
        with _opened(file, os.O_RDWR | os.O_CREAT):
            durable.sync_directory(os.path.dirname(file))

    # -- what is there --------------------------------------------------------

    def listed(self, path: Path) -> Listed:
        with _opened(self._file(path), os.O_RDONLY) as file:
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
        with _opened(self._file(path), os.O_RDONLY) as file:
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
        with _opened(name, os.O_RDWR | os.O_CREAT) as file, _undone(name, file) as end:
            held = {item.key for item in self._items(path, file)}
            file.seek(end)
            for letter in letters:
                file.write(_written(letter))
            file.flush()
            os.fsync(file.fileno())
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
        draft = os.path.join(os.path.dirname(name), f".{os.path.basename(name)}.new")
        with _opened(name, os.O_RDWR) as file:
            items = self._items(path, file)
            places = self._places[path]
            with open(draft, "wb") as new:
                for item in items:
                    place = places[item.key]
                    flags = changes.get(item.key, item.flags)
                    if flags is None:
                        continue
                    file.seek(place.start)
                    stored = file.read(place.end - place.start)
                    if flags != item.flags:
                        octets, _ = _read(file, place.behind, place.end)
                        date = item.internal_date
                        stored = _written(Letter(octets, flags, date))
                    new.write(stored)
                new.flush()
                os.fsync(new.fileno())
            os.rename(draft, name)
            durable.sync_directory(os.path.dirname(name))


# -- a file -----------------------------------------------------------------------


@contextmanager
def _opened(path: str, how: int) -> Iterator[IO[bytes]]:
    """The file, locked against programs that lock mboxes with fcntl."""
    try:
        descriptor = os.open(path, READ | how, 0o600)
    except FileNotFoundError:
        raise MailError(f"{path!a} is not there") from None
    mode = "rb" if how == os.O_RDONLY else "r+b"
    with os.fdopen(descriptor, mode) as file:
        shared = how == os.O_RDONLY
        fcntl.lockf(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        if not shared:
            _undo(path, file)
        yield file


def _note(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.mailtwist")


@contextmanager
def _undone(path: str, file: IO[bytes]) -> Iterator[int]:
    """Where the file ends; it ends there again if the block, or the machine, fails."""
    end = file.seek(0, os.SEEK_END)
    note = _note(path)
    with open(note, "w") as noted:
        noted.write(f"{end}\n")
        noted.flush()
        os.fsync(noted.fileno())
    durable.sync_directory(os.path.dirname(path))
    try:
        yield end
    except BaseException:
        file.truncate(end)
        raise
    finally:
        os.fsync(file.fileno())
        os.unlink(note)


def _undo(path: str, file: IO[bytes]) -> None:
    """Take back what a crash left half done."""
    note = _note(path)
    try:
        with open(note) as noted:
            line = noted.read(32)
    except FileNotFoundError:
        return
    end = int(line) if line.endswith("\n") else None
    if end is not None and end < file.seek(0, os.SEEK_END):
        file.truncate(end)
        os.fsync(file.fileno())
    os.unlink(note)


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
