"""Octets by their digest, in one folder; everything here blocks."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from ..errors import MailError
from ..store.maildir import durable
from ..store.mbox.lock import Lock, waited_for

PIECE_OCTETS = 1 << 20
LOCK_S = 10.0
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_SEEN = """
CREATE TABLE IF NOT EXISTS seen (
    device INTEGER, inode INTEGER, octets INTEGER, mtime_ns INTEGER, digest TEXT,
    PRIMARY KEY (device, inode)) WITHOUT ROWID
"""


class Objects:
    """`target` is the backup's folder, made if it is missing; `fresh` counts the octets
    that were written."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._objects = os.path.join(target, "objects")
        self._drafts = os.path.join(target, "tmp")
        self.fresh = 0
        self._seen: sqlite3.Connection | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The only one who writes here; raises MailError if there is another."""
        durable.make_directories([self.target, self._objects])
        shutil.rmtree(self._drafts, ignore_errors=True)
        lock = os.open(f"{self.target}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            os.close(lock)
            raise MailError("Another backup into the same folder is running") from fault
        durable.make_directories([self._drafts])
        try:
            yield
        finally:
            self._forget_seen()
            shutil.rmtree(self._drafts, ignore_errors=True)
            os.close(lock)

    # -- putting in -----------------------------------------------------------

    def put_file(self, path: str, *, lock: bool = False) -> tuple[str, os.stat_result]:
        """The digest of a plain file; raises OSError, FileNotFoundError if it went.

        `lock`: against programs that write mboxes; raises SystemBusy."""
        if lock:
            held = waited_for(path, writes=False, most_s=LOCK_S)
        else:
            held = Lock(path, os.open(path, _READ), False)
        try:
            found = os.fstat(held.descriptor)
            # Programs that change an mbox set its time back.
            moment_ns = found.st_ctime_ns if lock else found.st_mtime_ns
            known = self._known(found, moment_ns)
            if known is None:
                known = self._copy(held.descriptor)
                self._note(found, moment_ns, known)
            return known, found
        finally:
            held.release()

    def _copy(self, descriptor: int) -> str:
        """Read once: hashed and written in one go."""
        digest, draft = hashlib.sha256(), self.draft()
        with open(draft, "xb") as file:
            while piece := os.read(descriptor, PIECE_OCTETS):
                digest.update(piece)
                file.write(piece)
        return self._kept(draft, digest.hexdigest())

    def put(self, octets: bytes) -> str:
        digest = hashlib.sha256(octets).hexdigest()
        if not os.path.exists(self._path(digest)):
            draft = self.draft()
            with open(draft, "xb") as file:
                file.write(octets)
            self._kept(draft, digest)
        return digest

    def put_draft(self, draft: str) -> str:
        """The file that was written at `draft`."""
        descriptor = os.open(draft, _READ)
        try:
            return self._copy(descriptor)
        finally:
            os.close(descriptor)
            os.unlink(draft)

    def draft(self) -> str:
        """A name in the same file system."""
        return os.path.join(self._drafts, os.urandom(12).hex())

    def _kept(self, draft: str, digest: str) -> str:
        path = self._path(digest)
        if os.path.exists(path):
            os.unlink(draft)
            return digest
        self.fresh += os.path.getsize(draft)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.chmod(draft, 0o400)
        os.rename(draft, path)
        return digest

    def sync(self) -> None:
        """Everything that was put in is durable."""
        descriptor = os.open(self.target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            durable.syncfs(descriptor)
        finally:
            os.close(descriptor)

    # -- taking out -----------------------------------------------------------

    def _path(self, digest: str) -> str:
        if len(digest) != 64 or not digest.isalnum():
            raise MailError("A digest of the backup is none")
        return os.path.join(self._objects, digest[:2], digest[2:])

    def open(self, digest: str) -> IO[bytes]:
        """Raises MailError if it is not there."""
        try:
            return open(self._path(digest), "rb")
        except FileNotFoundError as fault:
            raise MailError(f"The backup lacks object {digest}") from fault

    def read(self, digest: str) -> bytes:
        with self.open(digest) as file:
            return file.read()

    def is_sound(self, digest: str) -> bool:
        """True if the octets are still those."""
        held = hashlib.sha256()
        try:
            with self.open(digest) as file:
                while piece := file.read(PIECE_OCTETS):
                    held.update(piece)
        except (MailError, OSError):
            return False
        return held.hexdigest() == digest

    def digests(self) -> Iterator[str]:
        for first in sorted(os.listdir(self._objects)):
            for rest in os.listdir(os.path.join(self._objects, first)):
                yield first + rest

    def drop_others(self, wanted: Collection[str]) -> int:
        """Remove what nobody names; how many objects."""
        gone = [digest for digest in self.digests() if digest not in wanted]
        for digest in gone:
            os.unlink(self._path(digest))
        if gone:
            self._forget_seen()
            with suppress(FileNotFoundError):
                os.unlink(f"{self.target}/seen.sqlite")
        return len(gone)

    # -- what was read before -------------------------------------------------

    @property
    def _known_files(self) -> sqlite3.Connection:
        if self._seen is None:
            path = f"{self.target}/seen.sqlite"
            try:
                self._seen = sqlite3.connect(path)
                self._seen.execute(_SEEN)
            except sqlite3.DatabaseError:
                os.unlink(path)
                self._seen = sqlite3.connect(path)
                self._seen.execute(_SEEN)
        return self._seen

    def _known(self, found: os.stat_result, moment_ns: int) -> str | None:
        row = self._known_files.execute(
            "SELECT octets, mtime_ns, digest FROM seen WHERE device = ? AND inode = ?",
            (found.st_dev, found.st_ino),
        ).fetchone()
        if row is None or row[:2] != (found.st_size, moment_ns):
            return None
        return str(row[2]) if os.path.exists(self._path(row[2])) else None

    def _note(self, found: os.stat_result, moment_ns: int, digest: str) -> None:
        self._known_files.execute(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)",
            (found.st_dev, found.st_ino, found.st_size, moment_ns, digest),
        )

    def _forget_seen(self) -> None:
        if self._seen is not None:
            self._seen.commit()
            self._seen.close()
            self._seen = None
