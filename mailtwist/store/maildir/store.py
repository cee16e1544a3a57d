"""The Maildir store: accounts in use, threads, the way in."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ...config.model import Config
from ...directory.model import Account
from ...interfaces import IStore
from ...mailbox.model import Path, Usage
from . import folders
from .account import AccountFiles
from .delivery import MaildirDelivery
from .mailboxes import MaildirMailboxes
from .names import UniqueNames
from .spool import Spooler
from .writer import MaildirWriter

THREADS = 4
MOST_ACCOUNTS = 256  # with open databases; more are closed when idle
KNOWN_FOLDERS = 100_000  # paths of folders known to exist


@implementer(IStore)
class MaildirStore:
    """See IStore.  Opens nothing before it is used."""

    def __init__(self, *, reactor: Any, config: Config, hostname: str) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, THREADS, "mailtwist-store")
        self._accounts: OrderedDict[str, MaildirMailboxes] = OrderedDict()
        self._folders: dict[tuple[str, Path], str] = {}
        self.names = UniqueNames(hostname)
        self.writer = MaildirWriter(reactor, config.delivery.sync)
        self.spooler = Spooler(reactor, config.delivery.memory_octets)
        self._delivery = MaildirDelivery(
            self, self.writer, self.spooler, self.names, config.delivery, reactor
        )

    def defer(self, work: Any, *arguments: Any) -> Deferred[Any]:
        if not self._pool.started:
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, work, *arguments)

    def mailboxes(self, account: Account) -> MaildirMailboxes:
        tree = self._accounts.get(account.home)
        if tree is None:
            files = AccountFiles(account, self.defer, self._reactor)
            tree = MaildirMailboxes(
                files, self.defer, self.writer, self.spooler, self.names
            )
            self._accounts[account.home] = tree
            self._close_idle()
        self._accounts.move_to_end(account.home)
        tree.files.account = account  # its limits may be newer
        return tree

    def _close_idle(self) -> None:
        if len(self._accounts) <= MOST_ACCOUNTS:
            return
        for home, tree in list(self._accounts.items())[: -MOST_ACCOUNTS // 2]:
            if tree.files.idle:
                del self._accounts[home]
                tree.files.close()

    def delivery(self) -> MaildirDelivery:
        return self._delivery

    # -- what delivery asks ---------------------------------------------------

    def folder(self, account: Account, path: Path) -> str | Awaitable[str]:
        """The Maildir folder of a mailbox; a str if it is known to be there."""
        known = self._folders.get((account.home, path))
        if known is not None and os.path.isdir(known):
            return known
        return Deferred.fromCoroutine(self._folder(account, path))

    async def _folder(self, account: Account, path: Path) -> str:
        files = self.mailboxes(account).files

        def find() -> str:
            folders.make(files.maildir, ("INBOX",))
            return files.folder_of(path)

        async def look() -> str:
            return await files.thread(find)

        folder = await files.turn(look)
        if len(self._folders) > KNOWN_FOLDERS:
            self._folders.clear()
        self._folders[account.home, path] = folder
        return folder

    def arrived(self, account: Account, path: Path, octets: int, messages: int) -> None:
        """Files were renamed into new/: sessions that watch are told soon."""
        tree = self._accounts.get(account.home)
        if tree is None:
            return
        files = tree.files
        live = files.live.get(path)
        if live is not None and live.watched:
            files.refresh(live)
        elif files.usage is not None and live is None:
            files.usage = evolve(
                files.usage,
                octets=files.usage.octets + octets,
                messages=files.usage.messages + messages,
            )

    def usage_now(self, account: Account) -> Usage | None:
        tree = self._accounts.get(account.home)
        if tree is None or tree.files.usage is None:
            return None
        return tree._limited(tree.files.usage)

    async def close(self) -> None:
        """Everything that was begun is finished; nothing is open afterwards."""
        await self.writer.close()
        await self.spooler.close()
        for tree in self._accounts.values():
            await tree.files.turn(_nothing)
            tree.files.close()
        if self._pool.started:
            self._pool.stop()
        self._accounts.clear()


async def _nothing() -> None:
    """A turn that only waits for those before it."""
