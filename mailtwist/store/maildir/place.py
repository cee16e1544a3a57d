"""Where the mailboxes of an account lie: what the store asks of a Maildir's folders.

An account of mbox files has the same questions (`store.mbox.place`).  Everything here
blocks, so it runs in a thread.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import Protocol

from ...errors import MailboxNotSelectable, NoSuchMailbox
from ...mailbox.model import INBOX, Path
from . import durable, folders, scan, subscriptions
from .inotify import ENTRIES
from .live import Stamp

DOUBT_NS = 1_200_000_000  # as account.DOUBT_S


class Place(Protocol):
    """A *folder* is the absolute path of a mailbox, a *name* its path within the
    place, "" for INBOX."""

    root: str  # the folder that others lie in

    def is_folder(self, folder: str) -> bool:
        """True if messages are files of their own in it."""

    def prepare(self) -> None:
        """Make what every account has, INBOX and a place for the state."""

    def check(self, path: Path) -> None:
        """Raises BadMailboxName for a path that cannot be kept."""

    def listed(self) -> dict[Path, str]:
        """Every mailbox with its folder; not to be changed."""

    def present(self, path: Path) -> bool:
        """True if `listed` has it."""

    def folder_of(self, path: Path) -> str:
        """Of an existing mailbox; INBOX is made if it is missing.

        Raises NoSuchMailbox, MailboxNotSelectable."""

    def make(self, path: Path) -> str:
        """The folder of a mailbox, made durably."""

    def staged(self, path: Path) -> str:
        """The name of something that `rename` can make the mailbox `path`."""

    def name_of(self, folder: str) -> str: ...

    def beside(self, folder: str) -> str:
        """Where the uidlist of a mailbox lies."""

    def rename(self, name: str, path: Path) -> str:
        """Make what has that name the mailbox `path`, if it is not so already; its
        folder.  Durable after `sync`."""

    def take_away(self, folder: str) -> str:
        """Out of sight at once, durably; what `purge` is to remove."""

    def purge(self, gone: str) -> None: ...

    def sync(self) -> None: ...

    def clean(self) -> None:
        """Remove what a crash left."""

    def subscriptions(self) -> set[Path]:
        """What another server kept; read when the state is new."""

    def marked(self, folder: str) -> bool:
        """True if messages came that nobody has looked at."""

    def stamps(self) -> dict[str, Stamp]:
        """What tells a change of each mailbox, by name."""

    def path_of(self, name: str) -> Path | None: ...

    def watched(self, name: str) -> list[tuple[str, int]]:
        """What the kernel is to tell of, and which events (`inotify`)."""


class MaildirPlace:
    """See Place."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._listed: dict[Path, str] = {}
        self._names: set[str] = set()  # that are among them
        self._sure_at = 0  # the root's time stamp that goes with them

    def is_folder(self, folder: str) -> bool:
        return True

    def prepare(self) -> None:
        folders.make(self.root, INBOX)

    def check(self, path: Path) -> None:
        folders.check_path(path)

    def listed(self) -> dict[Path, str]:
        """See Place.  While the root's time stamp is the same nothing is looked at, and
        else only folders that are new."""
        now = time.time_ns()
        try:
            changed_at = os.stat(self.root).st_mtime_ns
        except FileNotFoundError:
            return {INBOX: self.root}
        if self._listed and changed_at == self._sure_at:
            return self._listed
        names = set(folders.names_in(self.root))
        if names != self._names or not self._listed:
            self._renew(names)
        # Within the tick of a stamp more may happen that it does not show; and what is
        # no folder with messages may be about to become one.
        sure = names == self._names and now - changed_at > DOUBT_NS
        self._sure_at = changed_at if sure else 0
        return self._listed

    def _renew(self, names: set[str]) -> None:
        if not (self._listed and folders.are_apart(names | self._names)):
            self._listed = folders.listed(self.root, names)
            self._names = {self.name_of(folder) for folder in self._listed.values()}
            self._names.discard("")
            return
        new = folders.listed(self.root, names - self._names)
        gone = self._names - names
        if gone or len(new) > 1:
            listed = {
                path: folder
                for path, folder in self._listed.items()
                if not gone or self.name_of(folder) not in gone
            }
            self._listed = listed | new
            self._names -= gone
            self._names |= {self.name_of(folder) for folder in new.values()} - {""}

    def present(self, path: Path) -> bool:
        return folders.present(self.root, path)

    def folder_of(self, path: Path) -> str:
        name = folders.folder_in(self.root, path)
        folder = os.path.join(self.root, name) if name else self.root
        if os.path.isdir(os.path.join(folder, "cur")):
            if path[0][0] == folders.ODD and folders.path_of(name, self.root) != path:
                raise NoSuchMailbox()  # it has a better name
            for part in folders.PARTS:  # some programs leave new or tmp out
                os.makedirs(os.path.join(folder, part), mode=0o700, exist_ok=True)
            return folder
        if path == INBOX:
            return folders.make(self.root, path)
        known = folders.listed(self.root)
        if path in known:
            return known[path]
        if any(other[: len(path)] == path for other in known):
            raise MailboxNotSelectable()
        raise NoSuchMailbox()

    def make(self, path: Path) -> str:
        return folders.make(self.root, path)

    def staged(self, path: Path) -> str:
        return folders.staged(self.root, path)

    def name_of(self, folder: str) -> str:
        return "" if folder == self.root else os.path.basename(folder)

    def beside(self, folder: str) -> str:
        return folder

    def rename(self, name: str, path: Path) -> str:
        folders.rename(self.root, name, path)
        return os.path.join(self.root, folders.folder_in(self.root, path))

    def take_away(self, folder: str) -> str:
        gone = os.path.join(self.root, f"{folders.GONE}{time.time_ns()}")
        os.rename(folder, gone)
        self.sync()
        return gone

    def purge(self, gone: str) -> None:
        shutil.rmtree(gone, True)

    def sync(self) -> None:
        durable.sync_directory(self.root)

    def clean(self) -> None:
        for name in os.listdir(self.root):
            folder = os.path.join(self.root, name)
            left = name.startswith((folders.GONE, folders.MAKING))
            if left and scan.older(folder, scan.ABANDONED_S):
                self.purge(folder)

    def subscriptions(self) -> set[Path]:
        return subscriptions.found(self.root)

    def marked(self, folder: str) -> bool:
        try:
            with os.scandir(f"{folder}/new") as entries:
                return any(entry.name[0] != "." for entry in entries)
        except FileNotFoundError:
            return False

    def stamps(self) -> dict[str, Stamp]:
        """When entries of new/ and cur/ of each folder came or went."""
        found: dict[str, Stamp] = {}
        try:
            names = ["", *os.listdir(self.root)]
        except FileNotFoundError:
            return found
        for name in names:
            if name and (name[0] != "." or name in (".", "..")):
                continue
            folder = os.path.join(self.root, name)
            try:
                new, cur = os.stat(f"{folder}/new"), os.stat(f"{folder}/cur")
            except OSError:
                continue
            found[name] = new.st_mtime_ns, cur.st_mtime_ns
        return found

    def path_of(self, name: str) -> Path | None:
        return folders.path_of(name, self.root) if name else INBOX

    def watched(self, name: str) -> list[tuple[str, int]]:
        folder = os.path.join(self.root, name)
        return [(os.path.join(folder, part), ENTRIES) for part in ("new", "cur")]
