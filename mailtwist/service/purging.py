"""Deleted mail that was kept long enough goes, also when nobody deletes any more.

Accounts in which something was deleted have a file each in the data folder, so a round
asks only those, one after the other; of all processes one makes it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from attrs import evolve
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..directory.model import Account
from ..errors import MailError
from ..mailbox.interfaces import IMailboxes, IStore
from ..mailbox.purging import purge
from .quiet_work import QuietWork

log = Logger("mailtwist")

FOLDER = "keeps-deleted"  # in the data folder
LOCK = ".lock"  # of who makes the round
EVERY_S = 6 * 3600.0  # a round; sooner if mail is kept for less
FIRST_S = 300.0  # after the start
PAUSE_S = 0.2  # between accounts
MOST = 500  # messages at a time
_MOST_NAME = 255


class Keeps:
    """Which accounts have deleted mail."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._noted: set[str] = set()

    def note(self, account: Account) -> None:
        """Something is kept for it; cheap but for the first time."""
        name = account.name
        if name in self._noted:
            return
        path = self._path(name)
        if len(os.path.basename(path)) > _MOST_NAME:
            return  # whoever has such a name purges by hand
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except OSError as fault:
            log.error("{path} cannot be made: {why}", path=path, why=fault.strerror)
            return
        self._noted.add(name)

    def forget(self, name: str) -> None:
        self._noted.discard(name)
        with suppress(FileNotFoundError):
            os.unlink(self._path(name))

    def names(self) -> list[str]:
        with suppress(FileNotFoundError):
            return sorted(
                unquote(name) for name in os.listdir(self.folder) if name != LOCK
            )
        return []

    def alone(self) -> int | None:
        """A descriptor to close at the end; None if another process has it."""
        if not os.path.isdir(self.folder):
            return None
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(os.path.join(self.folder, LOCK), flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, quote(name, safe="@").replace(".", "%2E"))


class Purging(QuietWork):
    """Makes a round now and then.

    `account(name)` gives an account, None if there is none any more."""

    doing = "purging deleted mail"

    def __init__(
        self,
        reactor: Any,
        keeps: Keeps,
        store: IStore,
        account: Callable[[str], Awaitable[Account | None]],
        keep_s: float,
    ) -> None:
        self._reactor, self._keeps, self._store = reactor, keeps, store
        self._account, self._keep_s = account, keep_s

    async def work(self) -> None:
        await deferLater(self._reactor, FIRST_S)
        while True:
            try:
                await self.round()
            except OSError as fault:
                log.error("deleted mail is not purged: {why}", why=fault)
            await deferLater(self._reactor, min(EVERY_S, max(60.0, self._keep_s / 4)))

    async def round(self) -> int:
        """Ask every account that has deleted mail once; how many messages went."""
        lock = self._keeps.alone()
        if lock is None:
            return 0
        gone = 0
        try:
            for name in self._keeps.names():
                try:
                    gone += await self._one(name)
                except MailError as fault:
                    why = fault.public
                    log.info("deleted mail of {name} stays: {why}", name=name, why=why)
                await deferLater(self._reactor, PAUSE_S)
        finally:
            os.close(lock)
        if gone:
            log.info("{count} deleted messages were kept long enough", count=gone)
        return gone

    async def _one(self, name: str) -> int:
        account = await self._account(name)
        # First, so that what is deleted meanwhile is noted again.
        self._keeps.forget(name)
        if account is None:
            return 0
        try:
            return await self._purged(account)
        except BaseException:
            self._keeps.note(account)
            raise

    async def _purged(self, account: Account) -> int:
        kept = self._store.mailboxes(evolve(account, deleted=True))
        gone = 0
        while True:
            some = await purge(kept, int(time.time() - self._keep_s), MOST)
            gone += some
            if some < MOST:
                break
            await deferLater(self._reactor, PAUSE_S)
        if await _messages(kept):
            self._keeps.note(account)
        return gone


async def _messages(mailboxes: IMailboxes) -> int:
    count = 0
    for info in await mailboxes.listed():
        if info.selectable:
            count += (await mailboxes.status(info.path)).messages
    return count
