"""The store of accounts whose files this process may use: Maildirs and mbox files."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred

from ..config.model import Config
from ..directory.model import Account
from ..mailbox.model import Path
from .maildir.mailboxes import MaildirMailboxes
from .maildir.store import MaildirStore
from .mbox.files import MboxFiles
from .mbox.lock import LockFiles, OwnRights
from .mbox.mailboxes import MboxMailboxes
from .mixed.files import MixedFiles
from .mixed.mailboxes import MixedMailboxes


class LocalStore(MaildirStore):
    """See IStore; what an account's mailbox is says its location."""

    def __init__(
        self,
        *,
        reactor: Any,
        config: Config,
        hostname: str,
        lock_files: LockFiles | None = None,
    ) -> None:
        """`lock_files` make the lock files of mboxes; with our rights if None."""
        super().__init__(reactor=reactor, config=config, hostname=hostname)
        self._mbox, self._lock_files = config.mbox, lock_files or OwnRights()

    def _made(self, account: Account) -> MaildirMailboxes:
        if not account.is_mbox:
            return super()._made(account)
        mixed = account.has_maildir_folders
        kind = MixedFiles if mixed else MboxFiles
        files = kind(
            account,
            *self._files_get,
            config=self._mbox,
            lock_files=self._lock_files,
            **self._files_get_too,
        )
        if mixed:
            return MixedMailboxes(files, *self._trees_get)
        return MboxMailboxes(files, *self._trees_get)

    def folder(self, account: Account, path: Path) -> str | Awaitable[str]:
        """See delivery.Folders; of an mbox the state's, where large messages wait."""
        if not account.in_mbox(path):
            return super().folder(account, path)
        return Deferred.fromCoroutine(self._state_folder(account, path))

    async def _state_folder(self, account: Account, path: Path) -> str:
        """Raises NoSuchMailbox, MailboxNotSelectable."""
        files = self.mailboxes(account).files

        async def look() -> None:
            await files.thread(files.folder_of, path)

        await files.turn(look)
        return account.home
