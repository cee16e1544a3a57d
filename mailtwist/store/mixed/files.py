"""One account's files: those of a Maildir, and an mbox that is INBOX."""

from __future__ import annotations

from typing import Any

from ...mailbox.model import Path
from ..maildir.account import AccountFiles
from ..maildir.live import Delta, Live
from ..maildir.rested import Looked
from ..mbox import kept_layout
from ..mbox.files import MboxFiles
from ..mbox.intake import MboxLive
from ..mbox.place import MboxPlace
from ..state import MailboxRow
from .place import MixedPlace


class MixedFiles(MboxFiles):
    """See AccountFiles; `maildir` is where the folders are."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        account = self.account
        # Its own root holds nothing: the Maildir has all others.
        inbox = account.mailbox_path
        self._place = MboxPlace(account.home, inbox, account.home, self._lock_files)
        self.maildir = account.folders_path
        self.place = MixedPlace(self._place, self.maildir)

    def kind_of(self, folder: str) -> type[Live]:
        return Live if self.place.is_folder(folder) else MboxLive

    def _load(self, path: Path) -> Live:
        live = AccountFiles._load(self, path)
        if isinstance(live, MboxLive):
            kept_layout.fill(self.account.home, live)
        return live

    def adopt(self, path: Path, folder: str) -> MailboxRow:
        if self.place.is_folder(folder):
            return AccountFiles.adopt(self, path, folder)
        return super().adopt(path, folder)

    def unchanged(self, live: Looked) -> bool:
        if self.place.is_folder(live.folder):
            return AccountFiles.unchanged(self, live)
        return super().unchanged(live)

    async def look(self, live: Live, *, sure: bool = False) -> None:
        if isinstance(live, MboxLive):
            await super().look(live, sure=sure)
        else:
            await AccountFiles.look(self, live, sure=sure)

    def applied(self, live: Live, delta: Delta, *, ours: bool = True) -> None:
        if isinstance(live, MboxLive):
            super().applied(live, delta, ours=ours)
        else:
            AccountFiles.applied(self, live, delta, ours=ours)
