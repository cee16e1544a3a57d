"""The Maildir store: accounts in use, threads, the way in."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any
from weakref import WeakValueDictionary, proxy

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ...config.model import Config
from ...directory.model import Account
from ...errors import MailError, SystemBusy
from ...mailbox.interfaces import IStore
from ...mailbox.linked import ILinkedStore, Link
from ...mailbox.model import INBOX, Path
from ...mailbox.special_uses import wanted
from . import folders, linked, scripts
from .account import AccountFiles
from .coming import Coming
from .content import Places
from .delivery import MaildirDelivery
from .durable import fault_of
from .indexing import Indexer
from .inotify import Inotify, started
from .keeping import Keeping, kept_account
from .ledger import NAME, Crossing
from .mailboxes import MaildirMailboxes
from .names import UniqueNames
from .spool import Spooler
from .warning import warning, warning_text
from .writer import MaildirWriter

log = Logger()

THREADS = 4
MOST_OPEN = 64  # accounts with open databases, six descriptors each
MOST_KEPT = 512  # accounts that are kept in memory though nobody is logged in
KNOWN_FOLDERS = 100_000  # paths of folders known to exist


@implementer(IStore, ILinkedStore)
class MaildirStore:
    """See IStore.  Opens nothing before it is used."""

    def __init__(self, *, reactor: Any, config: Config, hostname: str) -> None:
        self._reactor, self._poll_s = reactor, config.imap4.poll_s
        self._special_uses = wanted(config.imap4.special_uses)
        self._keep_s = config.deleted.keep_s
        # Told of accounts for which deleted mail is kept.
        self.keeps: Callable[[Account], None] | None = None
        self._pool = ThreadPool(0, THREADS, "mailtwist-store")
        self._trees: WeakValueDictionary[str, MaildirMailboxes] = WeakValueDictionary()
        self._kept: OrderedDict[str, MaildirMailboxes] = OrderedDict()
        self._open: OrderedDict[str, AccountFiles] = OrderedDict()
        self._folders: dict[tuple[str, Path], str] = {}
        self._places = Places()
        self._closed = self._inotify_asked = False
        # Called with the home and mailbox of what the kernel may not tell others of.
        self.hint: Callable[[str, Path | None], None] = lambda home, path: None
        self._inotify: Inotify | None = None
        self.names, self.coming = UniqueNames(hostname), Coming()
        self.indexer = Indexer(reactor, config.search, self._trees.get)
        self.writer = MaildirWriter(reactor, config.delivery.sync, self._crossed)
        self.spooler = Spooler(reactor, config.delivery.memory_octets)
        self._delivery = MaildirDelivery(
            self,
            self.writer,
            self.spooler,
            self.names,
            config.delivery,
            reactor,
            quota=config.quota,
        )
        self._hostname, self._warning_file = hostname, config.quota.warning

    def defer(self, work: Any, *arguments: Any) -> Deferred[Any]:
        """Run `work` in a thread; SystemBusy once the store is closed."""
        if self._closed:
            return fail(SystemBusy())
        if not self._pool.started:
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, work, *arguments)

    def inotify(self) -> Inotify | None:
        """The kernel's word on folders, for all accounts; None if there is none."""
        if self._inotify_asked or self._closed:
            return self._inotify
        self._inotify_asked, self._inotify = True, started(self._reactor)
        return self._inotify

    def mailboxes(self, account: Account) -> MaildirMailboxes:
        if account.deleted:
            account = kept_account(account)
        home = account.home
        tree = self._trees.get(home)
        if tree is None:
            tree = self._trees[home] = self._made(account)
            if self._keep_s and not account.deleted:
                tree.keeping = self._keeping(tree)
        self._kept[home] = tree
        self._kept.move_to_end(home)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        tree.files.account = account  # its limits may be newer
        return tree

    def _made(self, account: Account) -> MaildirMailboxes:
        more = self._files_get_too
        if account.deleted:
            more["special_uses"] = wanted(())
        files = AccountFiles(account, *self._files_get, **more)
        return MaildirMailboxes(files, *self._trees_get)

    def _keeping(self, tree: MaildirMailboxes) -> Keeping:
        owner = proxy(tree)  # which holds the other end

        def kept() -> MaildirMailboxes:
            return self.mailboxes(evolve(owner.files.account, deleted=True))

        def noted() -> None:
            if self.keeps is not None:
                self.keeps(owner.files.account)

        return Keeping(self._reactor.seconds, kept, self._keep_s, noted)

    @property
    def _files_get(self) -> tuple[Any, ...]:
        """What AccountFiles gets besides the account."""
        return self.defer, self._reactor, self.names

    @property
    def _files_get_too(self) -> dict[str, Any]:
        return {
            "poll_s": self._poll_s,
            "inotify": self.inotify,
            "used": self._used,
            "changed": self.indexer.changed,
            "special_uses": self._special_uses,
            "thresholds": self._delivery.thresholds,
            "crossed": self._crossed,
            "coming": self.coming,
            "hint": lambda home, path: self.hint(home, path),
        }

    def hinted(self, home: str, path: Path | None) -> None:
        """See `hint`: another process of this server did it."""
        tree = self._trees.get(home)
        if tree is not None:
            tree.files.hinted(path)

    @property
    def _trees_get(self) -> tuple[Any, ...]:
        """What MaildirMailboxes get besides the files."""
        return (
            self.defer,
            self.writer,
            self.spooler,
            self.names,
            self._places,
            self.indexer,
        )

    def _used(self, files: AccountFiles) -> None:
        """A turn ended: of all accounts with open databases the idlest close them."""
        home = files.account.home
        if not files.is_open:
            self._open.pop(home, None)
            return
        self._open[home] = files
        self._open.move_to_end(home)
        if len(self._open) > MOST_OPEN and not self._closed:
            for home, idle in self._open.items():
                if not idle.busy:
                    del self._open[home]
                    resting = Deferred.fromCoroutine(idle.rest())
                    resting.addErrback(lambda f: log.failure("closing state", f))
                    break

    def delivery(self) -> MaildirDelivery:
        return self._delivery

    def may_be_full(self, account: Account) -> bool:
        """See IStore; what is counted has limits, or had some."""
        return account.is_limited or os.path.exists(f"{account.home}/{NAME}")

    def script_stamp(self, account: Account) -> Hashable | None:
        return scripts.stamp(account.home)

    async def active_script(self, account: Account) -> bytes | None:
        try:
            found: bytes | None = await self.defer(scripts.read_active, account.home)
        except OSError as cause:
            raise fault_of(cause) from cause
        return found

    def linked(self, account: Account) -> Awaitable[list[Link]] | None:
        """See ILinkedStore."""
        maildir = account.mailbox_path
        if account.is_mbox or account.deleted or not linked.has_links(maildir):
            return None
        return Deferred.fromCoroutine(self._linked(maildir, account.home))

    async def _linked(self, maildir: str, home: str) -> list[Link]:
        found: list[linked.Followed] = await self.defer(linked.followed, maildir, home)
        return [(one.name, one.home, one.folders) for one in found]

    # -- what delivery asks ---------------------------------------------------

    def folder(self, account: Account, path: Path) -> str | Awaitable[str]:
        """The Maildir folder of a mailbox; a str if it is known to be there.

        Raises NoSuchMailbox, MailboxNotSelectable."""
        known = self._folders.get((account.home, path))
        if known is not None and os.path.isdir(known):
            return known
        return Deferred.fromCoroutine(self._folder(account, path))

    async def _folder(self, account: Account, path: Path) -> str:
        files = self.mailboxes(account).files

        async def look() -> str:
            if path == INBOX:  # mail comes in before anybody logged in
                return await files.plain_thread(folders.make, files.maildir, INBOX)
            return await files.thread(files.folder_of, path)

        folder = await files.turn(look)
        if len(self._folders) >= KNOWN_FOLDERS:
            self._folders.clear()
        self._folders[account.home, path] = folder
        return folder

    def expects(self, account: Account, octets: int) -> Callable[[], None] | None:
        """See delivery.Folders."""
        return self.coming.begun(account, octets) if account.is_limited else None

    def arrived(self, account: Account, path: Path) -> None:
        """Files were renamed into new/: sessions that watch are told soon."""
        tree = self._trees.get(account.home)
        if tree is None:
            return
        files = tree.files
        live = files.live.get(path)
        files.changes.tell(path)
        if live is not None and live.watched:
            files.refresh(live)

    # -- warnings -------------------------------------------------------------

    def _crossed(self, account: Account, crossings: list[Crossing]) -> None:
        """The owner is told, once for each threshold that was passed."""
        if not self._closed:
            name = account.name
            warned = Deferred.fromCoroutine(self._warn(account, crossings))
            warned.addErrback(lambda f: log.failure("warning {name}", f, name=name))

    async def _warn(self, account: Account, crossings: list[Crossing]) -> None:
        text = await self.defer(warning_text, self._warning_file)
        for crossing in crossings:
            now = time.time()
            octets = warning(crossing, account, text, self._hostname, now)
            try:
                await self._delivery.warn(account, octets)
            except MailError as fault:
                log.error(
                    "{name} is not told that it is nearly full: {why}",
                    name=account.name,
                    why=fault.public,
                )

    async def close(self) -> None:
        """Everything that was begun is finished; nothing is open afterwards."""
        await self.writer.close()
        await self.spooler.close()
        await self.indexer.close()
        for tree in list(self._trees.values()):
            tree.files.watches.close()
            tree.files.changes.close()
            await tree.files.rest()
        self._closed = True
        if self._inotify is not None:
            self._inotify.close()
        if self._pool.started:
            self._pool.stop()
        self._trees.clear()
        self._kept.clear()
        self._open.clear()
