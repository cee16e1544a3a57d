"""Where the mailboxes of an account of mbox files lie.

INBOX is a file, often /var/mail/USER; others are files in a folder: ("Lists", "py") is
`Lists/py`, or `Lists.sbd/py` (as Thunderbird has it) where `Lists` is a mailbox too.
Names are in modified UTF-7 as Dovecot and UW IMAP write them; a file with another name
in UTF-8 keeps it.  Hidden files, lock files and what is no mbox are no mailboxes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import time
import unicodedata
from collections.abc import Iterator

from ...errors import (
    BadMailboxName,
    MailboxNotSelectable,
    NoSuchMailbox,
    SystemBusy,
)
from ...imap4 import utf7
from ...mailbox.model import INBOX, Path
from ..maildir import durable, folders
from ..maildir.inotify import WRITTEN
from ..maildir.live import Stamp
from . import inbox
from .journal import journal_of, repair
from .lock import LockFiles, attempt

CHILDREN = ".sbd"
STAGED = ".mailtwist-making-"
GONE = ".mailtwist-deleted-"
MOST_NAME = 200  # octets of one part of a path; the lock's name is longer
MOST_DEPTH = 100
SUBSCRIPTIONS = (".subscriptions", ".mailboxlist")
MOST_OCTETS = 1 << 20
_RESERVED = (".lock", CHILDREN)


class MboxPlace:
    """See store.maildir.place.Place; a folder is the path of a file."""

    def __init__(
        self, home: str, inbox_path: str, root: str, lock_files: LockFiles
    ) -> None:
        """`home` holds the state; all paths are absolute."""
        self.home, self.inbox, self.root = home, inbox_path, root
        self._lock_files = lock_files
        self.looked_at: dict[str, Stamp] = {}  # by folder

    def is_folder(self, folder: str) -> bool:
        return False

    def prepare(self) -> None:
        durable.make_directories([self.root])
        if not os.path.lexists(self.inbox):
            self._lock_files.make(self.inbox)

    def check(self, path: Path) -> None:
        folders.check_path(path)
        if len(path) > MOST_DEPTH or any(
            len(encoded(part).encode()) > MOST_NAME for part in path
        ):
            raise BadMailboxName("Mailbox name is too long")

    # -- which ----------------------------------------------------------------

    def listed(self) -> dict[Path, str]:
        found = {INBOX: self.inbox}
        for path, file in self._files(self.root, ()):
            found.setdefault(path, file)
        return found

    def _files(self, folder: str, above: Path) -> Iterator[tuple[Path, str]]:
        if len(above) > MOST_DEPTH:
            return
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, PermissionError):
            return
        for entry in entries:
            if entry.name.startswith(".") or entry.path == self.inbox:
                continue
            if entry.is_dir(follow_symlinks=False):
                part = decoded(entry.name.removesuffix(CHILDREN))
                if part is not None:
                    yield from self._files(entry.path, (*above, part))
                continue
            part = decoded(entry.name)
            if part is None or not is_mbox(entry.path):
                continue
            if above or part.upper() != "INBOX":
                yield (*above, part), entry.path

    def present(self, path: Path) -> bool:
        return path == INBOX or self._found(path) is not None

    def folder_of(self, path: Path) -> str:
        if path == INBOX:
            self.prepare()
            return self.inbox
        self.check(path)
        file = self._found(path)
        if file is not None:
            return file
        if any(os.path.isdir(folder) for folder in self._folders(path)):
            raise MailboxNotSelectable()
        raise NoSuchMailbox()

    def _found(self, path: Path) -> str | None:
        for folder in self._folders(path[:-1]):
            for name in names(path[-1]):
                file = os.path.join(folder, name)
                if file != self.inbox and is_mbox(file):
                    return file
        return None

    def _folders(self, path: Path) -> list[str]:
        """Folders that may hold what is below `path`, the likeliest first."""
        found = [self.root]
        for part in path:
            found = [
                folder
                for above in found
                for name in names(part)
                for folder in (f"{above}/{name}", f"{above}/{name}{CHILDREN}")
                if os.path.isdir(folder)
            ]
        return found

    # -- making and moving ----------------------------------------------------

    def _target(self, path: Path) -> str:
        """Where the file of `path` is to lie; folders above it are made."""
        self.check(path)
        folder = self.root
        for part in path[:-1]:
            there = [f"{folder}/{n}{c}" for n in names(part) for c in ("", CHILDREN)]
            known = next((each for each in there if os.path.isdir(each)), None)
            folder = known or f"{folder}/{encoded(part)}{CHILDREN}"
            durable.make_directories([folder])
        name = encoded(path[-1])
        file = f"{folder}/{name}"
        if os.path.isdir(file):  # until now only the name of what is below it
            if os.path.lexists(file + CHILDREN):
                raise BadMailboxName("That name is a folder of files")
            os.rename(file, file + CHILDREN)
        return file

    def make(self, path: Path) -> str:
        if path == INBOX:
            self.prepare()
            return self.inbox
        file = self._found(path)
        if file is None:
            durable.make_directories([self.root])
            file = self._target(path)
            inbox.make(file)
        return file

    def staged(self, path: Path) -> str:
        name = f"{STAGED}{os.urandom(8).hex()}"
        inbox.make(os.path.join(self.root, name))
        return name

    def name_of(self, folder: str) -> str:
        return "" if folder == self.inbox else os.path.relpath(folder, self.root)

    def beside(self, folder: str) -> str:
        name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]
        beside = os.path.join(self.home, "uidlists", name)
        if not os.path.isdir(beside):
            durable.make_directories([beside])
        return beside

    def rename(self, name: str, path: Path) -> str:
        source = os.path.join(self.root, name)
        target = self._found(path) or self._target(path)
        if os.path.isfile(source) and not os.path.lexists(target):
            self.repair(source)
            old, new = self.beside(source), self.beside(target)
            shutil.rmtree(new, True)
            os.rename(old, new)
            os.rename(source, target)
            self._prune(os.path.dirname(source))
            durable.sync_directory(os.path.dirname(target))
        return target

    def repair(self, file: str) -> None:
        """Complete what a process was killed at: before the file gets another path,
        to which its journal does not belong, or is copied.  Raises SystemBusy."""
        journal = journal_of(self.home, file)
        if not os.path.exists(journal):
            return
        lock = attempt(file, writes=True, files=self._lock_files)
        if lock is None:
            raise SystemBusy("Mailbox is locked by another program")
        try:
            repair(journal, lock.descriptor)
        finally:
            lock.release()

    def _prune(self, folder: str) -> None:
        """Remove folders that are empty now, up to the root."""
        while folder != self.root and folder.startswith(f"{self.root}/"):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

    def take_away(self, folder: str) -> str:
        gone = os.path.join(self.root, f"{GONE}{time.time_ns()}")
        os.rename(folder, gone)
        shutil.rmtree(self.beside(folder), True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(journal_of(self.home, folder))
        durable.sync_directory(os.path.dirname(folder))
        self._prune(os.path.dirname(folder))
        self.sync()
        return gone

    def purge(self, gone: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(gone)

    def sync(self) -> None:
        durable.sync_directory(self.root)

    def clean(self) -> None:
        for name in os.listdir(self.root):
            if name.startswith((GONE, STAGED)):
                path = os.path.join(self.root, name)
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - os.lstat(path).st_ctime > 3600.0:
                        os.unlink(path)

    # -- others ---------------------------------------------------------------

    def subscriptions(self) -> set[Path]:
        """Dovecot's and UW's: a name a line, with "/" between the parts."""
        found = set()
        for name in SUBSCRIPTIONS:
            try:
                with open(os.path.join(self.root, name), "rb") as file:
                    lines = file.read(MOST_OCTETS).split(b"\n")
            except OSError:
                continue
            for line in lines:
                parts = [decoded(os.fsdecode(part)) for part in line.split(b"/")]
                path = tuple(part for part in parts if part)
                if len(path) == len(parts) and not line.startswith(b"V\t"):
                    if path[0].upper() == "INBOX":
                        path = ("INBOX", *path[1:])
                    found.add(path)
        return found

    def marked(self, folder: str) -> bool:
        """Changed since we looked at it, or else as mail programs see it: written since
        it was read."""
        try:
            seen = os.stat(folder)
        except OSError:
            return False
        known = self.looked_at.get(folder)
        if known is not None:
            return seen.st_size > 0 and (seen.st_ctime_ns, seen.st_size) != known
        return seen.st_size > 0 and seen.st_mtime > seen.st_atime

    def stamps(self) -> dict[str, Stamp]:
        found = {}
        for file in self.listed().values():
            with contextlib.suppress(OSError):
                found[self.name_of(file)] = stamp_of(file)
        return found

    def path_of(self, name: str) -> Path | None:
        if not name:
            return INBOX
        *above, last = name.split("/")
        parts = [decoded(part.removesuffix(CHILDREN)) for part in above]
        parts.append(decoded(last))
        path = tuple(part for part in parts if part is not None)
        return path if len(path) == len(parts) else None

    def watched(self, name: str) -> list[tuple[str, int]]:
        return [(os.path.join(self.root, name) if name else self.inbox, WRITTEN)]


# -- names ------------------------------------------------------------------------


def encoded(part: str) -> str:
    """One part of a path as the name of a file."""
    name = utf7.encode(part).decode().replace("/", "&AC8-")
    if name.startswith("."):
        name = "&AC4-" + name[1:]
    if name.endswith(_RESERVED):
        stem, _, end = name.rpartition(".")
        name = f"{stem}&AC4-{end}"
    return name


def decoded(name: str) -> str | None:
    """The part of a path that has this file name; None if none has."""
    try:
        plain = name.replace("&AC4-", ".").replace("&AC8-", "/")
        part = utf7.decode(plain.encode("ascii"))
    except (BadMailboxName, UnicodeEncodeError):
        return _utf8(name)
    return part if part and encoded(part) == name else None


def _utf8(name: str) -> str | None:
    if name.isascii() or not name.isprintable() or name.endswith(_RESERVED):
        return None
    return name if unicodedata.normalize("NFC", name) == name else None


def names(part: str) -> list[str]:
    """File names that `part` may have."""
    found = [encoded(part)]
    if "/" not in part and not part.startswith(".") and _utf8(part):
        found.append(part)
    return found


def is_mbox(path: str) -> bool:
    """True for a plain file that is empty or begins as an mbox does."""
    try:
        seen = os.lstat(path)
        if not stat.S_ISREG(seen.st_mode):
            return False
        if not seen.st_size:
            return True
        with open(path, "rb") as file:
            return file.read(5) == b"From "
    except OSError:
        return False


def stamp_of(path: str) -> Stamp:
    """Changes with everything that happens to the file; mutt sets mtime back."""
    seen = os.stat(path, follow_symlinks=False)
    return seen.st_ctime_ns, seen.st_size
