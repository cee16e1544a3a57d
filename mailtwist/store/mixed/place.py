"""Where the mailboxes lie: INBOX is a file, all others are folders of a Maildir."""

from __future__ import annotations

import contextlib

from ...mailbox.model import INBOX, Path
from ..maildir.inotify import WRITTEN
from ..maildir.live import Stamp
from ..maildir.place import MaildirPlace
from ..mbox.place import MboxPlace, stamp_of


class MixedPlace(MaildirPlace):
    """See Place.  What lies in cur/ and new/ of the Maildir itself is no mailbox."""

    def __init__(self, inbox: MboxPlace, root: str) -> None:
        """Of `inbox` only its INBOX is asked."""
        super().__init__(root)
        self._inbox = inbox
        self._merged: tuple[dict[Path, str], dict[Path, str]] | None = None

    def is_folder(self, folder: str) -> bool:
        return folder != self._inbox.inbox

    def prepare(self) -> None:
        super().prepare()
        self._inbox.prepare()

    def listed(self) -> dict[Path, str]:
        folders = super().listed()
        if self._merged is None or self._merged[0] is not folders:
            self._merged = folders, {**folders, INBOX: self._inbox.inbox}
        return self._merged[1]

    def present(self, path: Path) -> bool:
        return path == INBOX or super().present(path)

    def folder_of(self, path: Path) -> str:
        return self._inbox.folder_of(path) if path == INBOX else super().folder_of(path)

    def make(self, path: Path) -> str:
        return self._inbox.make(path) if path == INBOX else super().make(path)

    def name_of(self, folder: str) -> str:
        return super().name_of(folder) if self.is_folder(folder) else ""

    def beside(self, folder: str) -> str:
        if self.is_folder(folder):
            return super().beside(folder)
        return self._inbox.beside(folder)

    def subscriptions(self) -> set[Path]:
        return super().subscriptions() | self._inbox.subscriptions()

    def marked(self, folder: str) -> bool:
        if self.is_folder(folder):
            return super().marked(folder)
        return self._inbox.marked(folder)

    def stamps(self) -> dict[str, Stamp]:
        found = super().stamps()
        found.pop("", None)
        with contextlib.suppress(OSError):
            found[""] = stamp_of(self._inbox.inbox)
        return found

    def watched(self, name: str) -> list[tuple[str, int]]:
        return super().watched(name) if name else [(self._inbox.inbox, WRITTEN)]
