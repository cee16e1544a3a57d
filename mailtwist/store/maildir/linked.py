"""Sharable Maildirs that an account's own Maildir has links to, as Courier makes them.

`shared-maildirs` has lines of a name, a tab and the path of a Maildir that somebody
else owns (`making.link`).  Its folders are read with the rights of whoever has the
link, and may be such that nobody but their owner renames a file in them.  So a *copy*
is kept for each reader, a Maildir like any other with UIDs and flags of its own: files
come as hard links where the system lets, else as copies, and go when they are gone.
What a reader puts into the copy of a folder that may be written to is put there too,
and what he expunges goes there, if the system lets him remove it; if not it comes back.

Everything here blocks, so it runs in a thread.  Names below the linked path are opened
one by one without following symbolic links, so that nothing else is ever read.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from attrs import frozen
from twisted.logger import Logger

from ...mailbox.model import Path
from . import durable, folders
from .making import SHARED
from .scan import split

log = Logger("mailtwist")

FOLDER = "linked"  # of copies, beside the state
MOST_LINKS = 100
MOST_OCTETS = 1 << 16  # of the file with them
DOUBT_S = 1.2  # file systems may count whole seconds
KNOWN = "known"  # bases that came from the linked folder, a line each

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BELOW = _DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_BAD = set("/.\\*%")


@frozen
class Followed:
    """`home` is that of the account which the copy is the Maildir of; `folders` tells
    which may be written to."""

    name: str
    home: str
    folders: Mapping[Path, bool]


def links(maildir: str) -> dict[str, str]:
    """Paths by name, as far as they can be used."""
    try:
        descriptor = os.open(os.path.join(maildir, SHARED), _FILE)
    except OSError:
        return {}
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return {}
        text = file.read(MOST_OCTETS).decode(errors="replace")
    found: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, path = line.partition("\t")
        if not name.isprintable() or not name or set(name) & _BAD or len(name) > 100:
            continue
        if name.upper() == "INBOX" or not path.startswith("/") or "\0" in path:
            continue
        found.setdefault(name, path.rstrip())
    return dict(list(found.items())[:MOST_LINKS])


def has_links(maildir: str) -> bool:
    return os.path.exists(os.path.join(maildir, SHARED))


def followed(maildir: str, home: str) -> list[Followed]:
    """The links of a Maildir with copies that are as the linked folders are now; those
    that cannot be read are left out.  `home` is where the account's state lies."""
    found = []
    for name, path in sorted(links(maildir).items()):
        copy = os.path.join(home, FOLDER, name)
        try:
            shown = _followed(path, copy)
        except OSError as fault:
            log.warn(
                "{path}, linked as {name} in {maildir}: {why}",
                path=path,
                name=name,
                maildir=maildir,
                why=fault.strerror,
            )
            continue
        found.append(Followed(name, copy, shown))
    return found


def _followed(path: str, home: str) -> dict[Path, bool]:
    maildir = os.path.join(home, "Maildir")
    durable.make_directories([home, maildir])
    shown: dict[Path, bool] = {}
    with _opened(path, _DIRECTORY) as shared, _alone(home):
        names = os.listdir(shared)
        for name in sorted(names):
            inner = folders.path_of(name, path) if _is_folder(name) else None
            if inner is None:
                continue
            try:
                shown[inner] = _Folder(shared, maildir, name).follow()
            except OSError:
                continue  # not for this user
    return shown


def _is_folder(name: str) -> bool:
    return name[0] == "." and name not in (".", "..") and name.isprintable()


@contextmanager
def _opened(path: str, flags: int, within: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _alone(home: str) -> Iterator[None]:
    """Agents and commands may follow the same link at once."""
    lock = os.open(
        os.path.join(home, "lock"),
        os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
        0o600,
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class _Folder:
    """One folder of the Maildir that `shared` is open on, and its copy."""

    def __init__(self, shared: int, maildir: str, name: str) -> None:
        self._shared, self._name = shared, name
        self._copy = os.path.join(maildir, name)

    def follow(self) -> bool:
        """True if it may be written to.  Raises OSError if it cannot be read."""
        with (
            _opened(self._name, _BELOW, self._shared) as folder,
            _opened("cur", _BELOW, folder) as cur,
            _opened("new", _BELOW, folder) as new,
        ):
            writable = os.access("new", os.W_OK | os.X_OK, dir_fd=folder)
            writable = writable and os.access("tmp", os.W_OK | os.X_OK, dir_fd=folder)
            durable.make_directories(
                [self._copy, *(os.path.join(self._copy, one) for one in folders.PARTS)]
            )
            began = time.time()
            if self._is_current(cur, new):
                return writable
            there = _bases(cur, new)
            here, sure = self._copied_surely()
            known, put = self._known(), set[str]()
            for base in sorted(there.keys() - here.keys()):
                if not writable or base not in known:
                    self._take(base, *there[base])
                elif sure and not _removed(*there[base]):
                    self._take(base, *there[base])  # not the reader's to remove
            for base in sorted(here.keys() - there.keys()):
                if base in known:
                    with suppress(FileNotFoundError):
                        os.unlink(here[base])
                elif writable and self._put(base, here[base], folder):
                    put.add(base)
            if there.keys() | put != known:
                self._write_known(there.keys() | put)
            if sure:
                with suppress(FileNotFoundError):
                    os.utime(os.path.join(self._copy, KNOWN), (began, began))
        return writable

    def _is_current(self, cur: int, new: int) -> bool:
        """True if nothing came or went on either side since the last look."""
        watched: list[int | str] = [cur, new]
        watched += [os.path.join(self._copy, part) for part in ("cur", "new")]
        try:
            looked = os.stat(os.path.join(self._copy, KNOWN)).st_mtime
        except FileNotFoundError:
            return False
        return all(os.stat(one).st_mtime < looked - DOUBT_S for one in watched)

    def _copied_surely(self) -> tuple[dict[str, str], bool]:
        """What is in the copy, and whether what is not in it was expunged: a listing
        may miss a file that is renamed meanwhile, so nothing may have changed for a
        while."""
        parts = [os.path.join(self._copy, part) for part in ("cur", "new")]
        before = [os.stat(part).st_mtime_ns for part in parts]
        now = time.time()
        here = self._copied()
        quiet = before == [os.stat(part).st_mtime_ns for part in parts]
        return here, quiet and max(before) / 1e9 < now - DOUBT_S

    def _copied(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in ("new", "cur"):
            folder = os.path.join(self._copy, part)
            for name in os.listdir(folder):
                if name[0] != ".":
                    found[split(name)[0]] = os.path.join(folder, name)
        return found

    # -- what is known ----------------------------------------------------------

    def _known(self) -> set[str]:
        try:
            with open(os.path.join(self._copy, KNOWN), encoding="utf-8") as file:
                return set(file.read().split("\n")) - {""}
        except FileNotFoundError:
            return set()

    def _write_known(self, bases: set[str]) -> None:
        """After the files are here: a base too few is one that the reader put here."""
        draft = os.path.join(self._copy, f"{KNOWN}.new")
        with open(draft, "w", encoding="utf-8") as file:
            file.write("\n".join(sorted(bases)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, os.path.join(self._copy, KNOWN))
        durable.sync_directory(self._copy)

    # -- messages -----------------------------------------------------------------

    def _take(self, base: str, part: int, name: str) -> None:
        """A message that is not here yet; one that cannot be read is left out."""
        draft = os.path.join(self._copy, "tmp", base)
        with suppress(FileNotFoundError):
            os.unlink(draft)
        try:
            try:
                os.link(name, draft, src_dir_fd=part, follow_symlinks=False)
                sound = stat.S_ISREG(os.lstat(draft).st_mode)
            except OSError:
                sound = _copied(name, part, draft)
            if not sound:
                os.unlink(draft)
                return
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(draft)
            return
        os.rename(draft, os.path.join(self._copy, "new", base))

    def _put(self, base: str, path: str, folder: int) -> bool:
        """What the reader put here, into the linked folder."""
        try:
            with (
                _opened("tmp", _BELOW, folder) as tmp,
                _opened("new", _BELOW, folder) as new,
            ):
                with _opened(path, _FILE) as source:
                    target = os.open(base, _NEW, 0o644, dir_fd=tmp)
                    try:
                        durable.copy_rest(source, 0, target)
                        os.fchmod(target, 0o644)
                        os.fsync(target)
                    finally:
                        os.close(target)
                os.rename(base, base, src_dir_fd=tmp, dst_dir_fd=new)
                os.fsync(new)
        except OSError as fault:
            log.warn("{path} is not put there: {why}", path=path, why=fault.strerror)
            return False
        return True


def _copied(name: str, part: int, draft: str) -> bool:
    """False for what is no plain file."""
    with _opened(name, _FILE, part) as source:
        seen = os.fstat(source)
        if not stat.S_ISREG(seen.st_mode):
            os.close(os.open(draft, _NEW, 0o600))
            return False
        target = os.open(draft, _NEW, 0o600)
        try:
            durable.copy_rest(source, 0, target)
            os.utime(target, ns=(seen.st_atime_ns, seen.st_mtime_ns))
            os.fsync(target)
        finally:
            os.close(target)
    return True


def _removed(part: int, name: str) -> bool:
    """Remove a message from the linked folder; False if the system does not let."""
    try:
        os.unlink(name, dir_fd=part)
    except FileNotFoundError:
        return True  # or renamed: then the next look tells
    except OSError:
        return False
    return True


def _bases(*parts: int) -> dict[str, tuple[int, str]]:
    """Where each message is, by the base of its name."""
    found: dict[str, tuple[int, str]] = {}
    for part in parts:
        for name in os.listdir(part):
            base = split(name)[0]
            if base and name[0] != "." and name.isprintable():
                found.setdefault(base, (part, name))
    return found
