"""Folders as one moment saw them: names with what they are, and digests.

A *tree* is JSON lines, kept as an object itself, so that an account in which nothing
changed costs nothing.  A database is copied as SQLite has it at one moment.  A folder
with a database that its files belong to (an account's state, the queue) is listed while
nobody writes there, and listed again if a file went before it was read: so a message
that is moved meanwhile is in the copy, in one of its places.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress

from attrs import frozen

from ..errors import MailError, SystemBusy
from ..store.mbox.dotlock import LOCK_FILE
from ..store.mbox.journal import is_journal
from ..store.mbox.place import is_mbox
from .objects import Objects

OWNERS = ("state.sqlite", "queue.sqlite")  # of the files around them
RESTORING = "mailtwist-restore-"  # folders in which something waits to be restored
TRIES = 5
BUSY_S = 10.0
_WORDS = ("-wal", "-shm", "-journal", ".lock", ".damaged", "-wal.damaged")
# What is made anew beside a state, and beside a database of the server's.
_BESIDE_STATE = frozenset(
    ("cache.sqlite", "search.sqlite", "search.lock", "usage", "tmp")
)


@frozen
class Entry:
    """A name within a tree; `digest` is "" for a folder."""

    path: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    octets: int = 0
    digest: str = ""

    @property
    def is_folder(self) -> bool:
        return not self.digest


class Lister:
    """`keys`: files that seal or prove something come too."""

    def __init__(self, objects: Objects, *, keys: bool) -> None:
        self._objects, self._keys = objects, keys
        self.faults: list[str] = []  # what could not be read
        self._secret: frozenset[str] = frozenset()

    def tree(self, root: str, secret: Collection[str] = ()) -> str:
        """The digest of the tree of a folder or a single file, without what is called
        as one of `secret` at its top."""
        self._secret = frozenset() if self._keys else frozenset(secret)
        entries = sorted(self._entries(root), key=lambda one: one.path)
        lines = [json.dumps(_fields(one)) + "\n" for one in entries]
        return self._objects.put("".join(lines).encode("ascii"))

    def _entries(self, root: str) -> Iterator[Entry]:
        if not os.path.isdir(root):
            folder, name = os.path.split(root)
            yield from self._one(folder, name, os.stat(root))
            return
        yield _entry(".", os.stat(root))
        waiting = [""]
        while waiting:
            path = waiting.pop()
            folder = os.path.join(root, path)
            owner = next(
                (name for name in OWNERS if os.path.isfile(f"{folder}/{name}")), None
            )
            try:
                if owner is not None:
                    yield from self._owned(root, path, owner, waiting)
                    continue
                names = self._listed(root, path)
            except (OSError, MailError, sqlite3.Error) as fault:
                self.faults.append(f"{folder}: {why(fault)}")
                continue
            for name, found in names:
                yield from self._one(root, name, found)
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(name)

    def _one(self, root: str, path: str, found: os.stat_result) -> Iterator[Entry]:
        """A folder, or a file that belongs to nobody else."""
        if stat.S_ISDIR(found.st_mode):
            yield _entry(path, found)
            return
        try:
            if path.endswith(".sqlite"):
                yield self._database(root, path, found)
            else:
                yield self._file(os.path.join(root, path), path)
        except FileNotFoundError:
            return  # it went meanwhile
        except (OSError, sqlite3.Error, MailError) as fault:
            self.faults.append(f"{os.path.join(root, path)}: {why(fault)}")

    def _listed(self, root: str, path: str) -> list[tuple[str, os.stat_result]]:
        """(name within the root, what it is) of what is wanted of a folder."""
        folder = os.path.join(root, path)
        names = set(os.listdir(folder)) - _made_anew(folder)
        if not path:
            names -= self._secret
            names = {name for name in names if not name.startswith(RESTORING)}
        if "cur" in names:
            names.discard("tmp")  # nothing in it is a message yet
        names = {name for name in names if not _locks(folder, name, names)}
        found = []
        for name in sorted(names):
            with suppress(FileNotFoundError):
                seen = os.lstat(os.path.join(folder, name))
                if stat.S_ISDIR(seen.st_mode) or stat.S_ISREG(seen.st_mode):
                    found.append((os.path.join(path, name), seen))
        return found

    def _file(self, path: str, name: str) -> Entry:
        maildir = os.path.basename(os.path.dirname(path)) in ("cur", "new")
        digest, found = self._objects.put_file(path, lock=not maildir)
        return _entry(name, found, digest)

    def _database(self, root: str, path: str, found: os.stat_result) -> Entry:
        with closing(_opened(os.path.join(root, path))) as db:
            return _entry(path, found, self._copied(db))

    def _copied(self, db: sqlite3.Connection) -> str:
        draft = self._objects.draft()
        with closing(sqlite3.connect(draft)) as copy:
            db.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        return self._objects.put_draft(draft)

    # -- files that belong to a database --------------------------------------

    def _owned(
        self, root: str, path: str, owner: str, others: list[str]
    ) -> list[Entry]:
        """What lies in a folder with a database; `others` gets folders below it that
        have one of their own."""
        database = os.path.join(root, path, owner)
        for _ in range(TRIES):
            with _held(database) as db:
                names, apart = self._below(root, path)
                digest = self._copied(db)
            found = self._read(root, names)
            if found is not None:
                break
        else:
            with _held(database) as db:  # others have to wait for once
                names, apart = self._below(root, path)
                digest = self._copied(db)
                found = self._read(root, names) or []
        others += apart
        name = os.path.join(path, owner)
        return [*found, _entry(name, os.stat(os.path.join(root, name)), digest)]

    def _below(
        self, root: str, path: str
    ) -> tuple[list[tuple[str, os.stat_result]], list[str]]:
        """Everything in a folder and below it, and folders with what is not."""
        found: list[tuple[str, os.stat_result]] = []
        apart: list[str] = []
        waiting = [path]
        while waiting:
            for name, seen in self._listed(root, waiting.pop()):
                if os.path.basename(name) in OWNERS:
                    continue
                found.append((name, seen))
                if not stat.S_ISDIR(seen.st_mode):
                    continue
                here = os.path.join(root, name)
                owned = any(os.path.isfile(f"{here}/{one}") for one in OWNERS)
                (apart if owned else waiting).append(name)
        return found, apart

    def _read(
        self, root: str, names: list[tuple[str, os.stat_result]]
    ) -> list[Entry] | None:
        """None if one of the files went meanwhile."""
        entries = []
        for name, found in names:
            if stat.S_ISDIR(found.st_mode):
                entries.append(_entry(name, found))
                continue
            try:
                entries.append(self._file(os.path.join(root, name), name))
            except FileNotFoundError:
                return None
        return entries


def _locks(folder: str, name: str, names: set[str]) -> bool:
    """True for the lock file of an mbox."""
    locked = name.removesuffix(LOCK_FILE)
    return locked != name and locked in names and is_mbox(f"{folder}/{locked}")


def _made_anew(folder: str) -> set[str]:
    """Names of a folder that belong to a database of it, or come from one."""
    names = set(os.listdir(folder))
    anew = {
        name + word for name in names if name.endswith(".sqlite") for word in _WORDS
    }
    if "state.sqlite" not in names:
        return anew
    # What a journal is about is whole when it is read: see `make`.
    anew |= {name for name in names if is_journal(name)}
    return anew | _BESIDE_STATE


def _opened(path: str) -> sqlite3.Connection:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise MailError("is no plain file")
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)


@contextmanager
def _held(path: str) -> Iterator[sqlite3.Connection]:
    """Another connection, while nobody writes; raises SystemBusy."""
    with closing(_opened(path)) as lock, closing(_opened(path)) as db:
        try:
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as fault:
            raise SystemBusy() from fault
        try:
            yield db
        finally:
            lock.execute("ROLLBACK")


def _entry(path: str, found: os.stat_result, digest: str = "") -> Entry:
    return Entry(
        path,
        stat.S_IMODE(found.st_mode),
        found.st_uid,
        found.st_gid,
        found.st_mtime_ns,
        found.st_size if digest else 0,
        digest,
    )


def why(fault: Exception) -> str:
    if isinstance(fault, MailError):
        return fault.public
    return getattr(fault, "strerror", None) or str(fault)


# -- back -------------------------------------------------------------------------


def _fields(one: Entry) -> list[object]:
    owner = one.uid, one.gid
    return [one.path, one.mode, *owner, one.mtime_ns, one.octets, one.digest]


def read(objects: Objects, digest: str) -> list[Entry]:
    """Parents before children; raises MailError for what is no tree."""
    try:
        lines = objects.read(digest).decode("ascii").splitlines()
        entries = [Entry(*json.loads(line)) for line in lines]
    except (ValueError, TypeError) as fault:
        raise MailError(f"Object {digest} is no tree") from fault
    for entry in entries:
        if entry.path.startswith("/") or ".." in entry.path.split("/"):
            raise MailError(f"Tree {digest} leads out of itself")
    return entries


def written(objects: Objects, entry: Entry, path: str) -> None:
    """Make a file or folder at `path`, durable after a sync; the owner is the
    caller's affair.  Raises OSError, FileExistsError."""
    if entry.is_folder:
        os.makedirs(path, mode=0o700)
        os.chmod(path, entry.mode)
        return
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, objects.open(entry.digest) as source:
        while piece := source.read(1 << 20):
            file.write(piece)
        file.flush()
        os.fchmod(descriptor, entry.mode)
        os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
