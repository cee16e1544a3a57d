"""The store in memory: the reference of what every store does.

Used by tests and by `mailtwist.testing`.  Nothing here outlives the process; apart from
that it keeps every promise of `mailbox.interfaces.IStore`, and
`tests/store/contract.py` holds the other stores to the same.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Hashable, Sequence

from zope.interface import implementer

from ..directory.model import Account, DomainLimit
from ..errors import (
    BadMailboxName,
    MailboxExists,
    MailboxHasChildren,
    MailboxNotSelectable,
    MailError,
    NoSuchMailbox,
    NotPermitted,
    OverQuota,
)
from ..flags import Flags
from ..mailbox import metadata
from ..mailbox.interfaces import IRights, IStore, IUpload
from ..mailbox.kept_rights import KeptRights
from ..mailbox.model import (
    INBOX,
    Annotation,
    Appended,
    Limits,
    MailboxInfo,
    MailboxStatus,
    Path,
    Quota,
    Usage,
    covers,
)
from ..mailbox.rights import Entries, Rights, RightsChange, change, default_list
from ..mailbox.special_uses import Uses, settled
from ..mailbox.watchers import Watchers
from .memory_delivery import MemoryDelivery, MemoryUpload
from .memory_folder import Folder, NewMessage
from .memory_mailbox import MemoryMailbox
from .memory_scripts import MemoryScripts

MOST_PATH_OCTETS = 4096  # a path with its delimiters, in UTF-8


@implementer(IStore)
class MemoryStore:
    """See IStore.  `clock` gives seconds since 1970; new accounts get the mailboxes of
    `special_uses`."""

    def __init__(
        self, clock: Callable[[], float] = time.time, special_uses: Uses | None = None
    ) -> None:
        self._clock, self.special_uses = clock, special_uses or {}
        self._trees: dict[str, MemoryMailboxes] = {}
        self._delivery = MemoryDelivery(self)

    def mailboxes(self, account: Account) -> MemoryMailboxes:
        tree = self._trees.get(account.name)
        if tree is None:
            tree = self._trees[account.name] = MemoryMailboxes(self, account)
        tree.account = account  # its limits may be newer
        return tree

    def held_together(self, domain: DomainLimit) -> tuple[int, int]:
        """Octets and messages of the accounts that share the limit."""
        each = [t.held() for t in self._trees.values() if t.account.domain == domain]
        return sum(one[0] for one in each), sum(one[1] for one in each)

    def delivery(self) -> MemoryDelivery:
        return self._delivery

    def now(self) -> int:
        return int(self._clock())

    def may_be_full(self, account: Account) -> bool:
        return self.mailboxes(account).may_be_full

    def script_stamp(self, account: Account) -> Hashable | None:
        return self.mailboxes(account).active

    async def active_script(self, account: Account) -> bytes | None:
        return self.mailboxes(account).active


@implementer(IRights)
class MemoryMailboxes(KeptRights, MemoryScripts):
    """See IRights."""

    def __init__(self, store: MemoryStore, account: Account) -> None:
        super().__init__()
        self.account = account
        self._store = store
        self._folders: dict[Path, Folder] = {}
        self._subscribed: set[Path] = set()
        self._access_keys: dict[str, bytes] = {}  # by object id
        self._limits: dict[Path, Limits] = {}
        self._watchers: Watchers[Path | None] = Watchers()
        self._last_uid_validity = store.now() - 1
        self._made = 0
        self._metadata: dict[str, bytes] = {}  # of the account
        self.threads: dict[int, int] = {}  # by keys of messages
        self.now = store.now
        self._make(INBOX, frozenset())
        _, new = settled(store.special_uses, [INBOX])
        for path, uses in new.items():
            self._make(path, uses)
            self._subscribed.add(path)

    @property
    def owner(self) -> str:
        return self.account.name

    # -- the tree ---------------------------------------------------------------

    async def listed(self) -> list[MailboxInfo]:
        names = set(self._folders) | self._subscribed
        for path in self._folders:
            names.update(path[:depth] for depth in range(1, len(path)))
        return [self._info(path) for path in sorted(names, key=_order)]

    def _info(self, path: Path) -> MailboxInfo:
        folder = self._folders.get(path)
        if folder is None:
            return MailboxInfo(
                path,
                "",
                selectable=False,
                exists=self._has_children(path),
                subscribed=path in self._subscribed,
            )
        return MailboxInfo(
            path,
            folder.object_id,
            subscribed=path in self._subscribed,
            special_uses=folder.special_uses,
            marked=folder.recent_from < folder.uid_next and folder.status().recent > 0,
        )

    async def create(
        self, path: Path, special_uses: frozenset[str] = frozenset()
    ) -> str:
        check_path(path)
        if path in self._folders:
            raise MailboxExists()
        self._check_number(path)
        self._make_parents(path)
        return self._make(path, special_uses).object_id

    async def delete(self, path: Path) -> None:
        if path == INBOX:
            raise NotPermitted("INBOX cannot be deleted")
        folder = self._folders.get(path)
        if folder is None:
            if self._has_children(path):
                raise MailboxHasChildren()
            raise NoSuchMailbox()
        del self._folders[path]
        folder.remove(list(folder.messages))
        folder.deleted = True
        folder.publish()
        self._renamed()

    async def rename(self, old: Path, new: Path) -> None:
        children = self._children(old)
        if old not in self._folders and not children:
            raise NoSuchMailbox()
        check_path(new)
        if new in self._folders or self._has_children(new):
            raise MailboxExists()
        if old == INBOX:
            before = set(self._folders)
            self._check_number(new)
            self._make_parents(new)
            self._make(new, frozenset())
            self._folders[new].metadata.update(self._folders[INBOX].metadata)
            self._folders[new].rights = dict(self._folders[INBOX].rights)
            self.forget_lists()
            inbox = await self.open(INBOX)
            try:
                await inbox.move(list(self._folders[INBOX].messages), new)
            except MailError:
                for path in sorted(self._folders.keys() - before, reverse=True):
                    await self.delete(path)
                raise
            return
        if new[: len(old)] == old:
            raise BadMailboxName("A mailbox cannot be moved into itself")
        renamed = {path: new + path[len(old) :] for path in children}
        if old in self._folders:
            renamed[old] = new
        for path in renamed.values():
            check_path(path)
        self._check_number(*renamed.values(), gone=renamed)
        changes = []
        for path, target in renamed.items():
            folder = self._folders[path]
            held = folder.octets, len(folder.messages)
            changes += [(target, *held), (path, -held[0], -held[1])]
        self.need_room(*changes)
        self._make_parents(new)
        moving = [path for path in self._limits if covers(old, path)]
        for path in moving:
            self._limits[new + path[len(old) :]] = self._limits.pop(path)
        folders = {renamed[path]: self._folders.pop(path) for path in renamed}
        for path, folder in folders.items():
            folder.path = path
        self._folders.update(folders)
        self._renamed()

    async def subscribe(self, path: Path) -> None:
        check_path(path)
        self._subscribed.add(path)
        self._watchers.tell(None)

    async def unsubscribe(self, path: Path) -> None:
        self._subscribed.discard(path)
        self._watchers.tell(None)

    def _children(self, path: Path) -> list[Path]:
        depth = len(path)
        return [p for p in self._folders if len(p) > depth and p[:depth] == path]

    def _has_children(self, path: Path) -> bool:
        return bool(self._children(path))

    def _make_parents(self, path: Path) -> None:
        for depth in range(1, len(path)):
            if path[:depth] not in self._folders:
                self._make(path[:depth], frozenset())

    def _make(self, path: Path, special_uses: frozenset[str]) -> Folder:
        """A new mailbox; no two of an account ever have the same UIDVALIDITY."""
        self._last_uid_validity = max(self._last_uid_validity + 1, self._store.now())
        self._made += 1
        folder = Folder(f"m{self._made}", self._last_uid_validity, path, special_uses)
        self._folders[path] = folder
        above = self._folders.get(path[:-1])
        folder.rights = dict(above.rights) if above else {}
        folder.changed = lambda: self._told(folder)
        self._renamed()
        return folder

    # -- what is in it ----------------------------------------------------------

    def folder(self, path: Path) -> Folder:
        """The mailbox; raises NoSuchMailbox, MailboxNotSelectable."""
        folder = self._folders.get(path)
        if folder is None:
            if self._has_children(path):
                raise MailboxNotSelectable()
            raise NoSuchMailbox()
        return folder

    async def status(self, path: Path) -> MailboxStatus:
        return self.folder(path).status()

    async def open(self, path: Path, *, read_only: bool = False) -> MemoryMailbox:
        return MemoryMailbox(self, self.folder(path), path, read_only)

    def upload(self, path: Path = INBOX) -> MemoryUpload:
        return MemoryUpload()

    async def append(
        self, path: Path, messages: Sequence[tuple[IUpload, Flags, int | None]]
    ) -> Appended:
        folder = self.folder(path)
        new = [self.new_message(*message) for message in messages]
        octets = sum(len(message.octets) for message in new)
        self.need_room((path, octets, len(new)))
        uids = folder.add(new)
        for upload, _, _ in messages:
            upload.abort()
        return Appended(folder.uid_validity, uids)

    def new_message(
        self, upload: IUpload, flags: Flags, date: int | None
    ) -> NewMessage:
        """What was uploaded; raises MailError if it cannot be had."""
        if not isinstance(upload, MemoryUpload):
            raise MailError("The octets were uploaded to another store")
        now = self.now()
        return NewMessage(upload.message(), flags, now if date is None else date, now)

    async def access_key(self, path: Path, *, make: bool = False) -> bytes | None:
        folder = self.folder(path)
        if make and folder.object_id not in self._access_keys:
            await self.reset_access_keys(path)
        return self._access_keys.get(folder.object_id)

    async def reset_access_keys(self, path: Path | None = None) -> None:
        if path is None:
            self._access_keys.clear()
        else:
            self._access_keys[self.folder(path).object_id] = secrets.token_bytes(32)

    async def watch(
        self, changed: Callable[[Path | None], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        return self._watchers.add(changed)

    def _told(self, folder: Folder) -> None:
        """Something happened in a folder, wherever it is now."""
        if self._folders.get(folder.path) is folder:
            self._watchers.tell(folder.path)

    # -- annotations ------------------------------------------------------------

    async def metadata(
        self, path: Path | None, names: Sequence[str] = ()
    ) -> list[Annotation]:
        if path == metadata.ACCOUNT:
            held = [Annotation((), *each) for each in self._metadata.items()]
            return metadata.chosen(held, names)
        found = []
        for one in self._folders if path is None else [path]:
            folder = self.folder(one)
            found += [Annotation(one, *each) for each in folder.metadata.items()]
            found += metadata.annotation_of_uses(one, folder.special_uses)
        return metadata.chosen(found, names)

    async def set_metadata(
        self, path: Path, values: Sequence[tuple[str, bytes | None]], most: int
    ) -> None:
        wanted = dict(values)
        if path == metadata.ACCOUNT:
            held, uses = self._metadata, None
        else:
            folder = self.folder(path)
            held, uses = folder.metadata, metadata.uses_in(wanted)
        put, gone = metadata.changed(held, wanted, most)
        held.update(put)
        for name in gone:
            held.pop(name, None)
        self.forget_lists()
        if uses is not None:
            folder.special_uses = uses
        self._watchers.tell(metadata.ACCOUNT)

    # -- rights -----------------------------------------------------------------

    async def rights(self, path: Path) -> dict[str, Rights]:
        held = self.folder(path).rights or default_list(self.owner)
        own = {self.owner: held[self.owner]} if self.owner in held else {}
        return own | held

    async def lists(self) -> dict[Path, dict[str, Rights]]:
        return {
            path: dict(folder.rights)
            for path, folder in self._folders.items()
            if folder.rights
        }

    async def set_rights(
        self,
        path: Path,
        identifier: str,
        wanted: RightsChange,
        default: Entries | None = None,
    ) -> None:
        folder = self.folder(path)
        entries = folder.rights or dict(default or default_list(self.owner))
        change(entries, identifier, wanted, self.owner if default is None else "")
        folder.rights = entries
        self._renamed()

    def _renamed(self) -> None:
        """Names changed, or what may be done with them."""
        self.forget_lists()
        self._watchers.tell(None)

    # -- how much ---------------------------------------------------------------

    async def usage(self) -> Usage:
        limits = self.account.limits
        return Usage(*self._held(()), limits.octets, limits.messages)

    async def quotas(self, path: Path | None = None) -> list[Quota]:
        roots = [
            root
            for root, limits in self._roots().items()
            if limits.any and (path is None or covers(root, path))
        ]
        roots.sort(key=lambda root: (not root, -len(root) if path else 0, root))
        return [*map(self._quota, roots), *self._domain_quota()]

    async def set_limits(self, path: Path, limits: Limits) -> None:
        if not path:
            raise NotPermitted("Limits of the account are where the account is")
        check_path(path)
        self._limits.pop(path, None)
        if limits.any:
            self._limits[path] = limits

    @property
    def may_be_full(self) -> bool:
        return self.account.is_limited or bool(self._limits)

    async def fits(self, path: Path, octets: int, messages: int = 1) -> bool:
        return self._fits([(path, octets, messages)])

    async def recount(self) -> Usage:
        return await self.usage()

    def _roots(self) -> dict[Path, Limits]:
        told = {path: Limits(*each) for path, *each in self.account.mailbox_limits}
        return told | self._limits | {(): self.account.limits}

    def _below(self, root: Path) -> list[Path]:
        return [path for path in self._folders if covers(root, path)]

    def _held(self, root: Path) -> tuple[int, int]:
        folders = [self._folders[path] for path in self._below(root)]
        octets = sum(folder.octets for folder in folders)
        return octets, sum(len(folder.messages) for folder in folders)

    def _quota(self, root: Path) -> Quota:
        limits = self._roots()[root]
        mailboxes = 0 if limits.mailboxes is None else len(self._below(root))
        return Quota(root, *self._held(root), mailboxes, limits)

    def _domain_quota(self) -> list[Quota]:
        """The sum of the accounts that share a limit with this one."""
        domain = self.account.summed
        if domain is None:
            return []
        held = self._store.held_together(domain)
        return [Quota((), *held, 0, domain.limits, domain.name)]

    def held(self) -> tuple[int, int]:
        """Octets and messages of the account."""
        return self._held(())

    def _fits(self, changes: Sequence[tuple[Path, int, int]]) -> bool:
        roots = [(root, each, self._held(root)) for root, each in self._roots().items()]
        for shared in self._domain_quota():
            roots.append(((), shared.limits, (shared.octets, shared.messages)))
        for root, limits, held in roots:
            inside = [more for path, *more in changes if covers(root, path)]
            octets, messages = map(sum, zip(*inside, strict=True)) if inside else (0, 0)
            for more, there, limit in (
                (octets, held[0], limits.octets),
                (messages, held[1], limits.messages),
            ):
                if limit is not None and more > 0 and there + more > limit:
                    return False
        return True

    def need_room(self, *changes: tuple[Path, int, int]) -> None:
        """Raises OverQuota if so many octets and messages more do not fit."""
        if not self._fits(changes):
            raise OverQuota()

    def _check_number(self, *new: Path, gone: Collection[Path] = ()) -> None:
        """Raises OverQuota if mailboxes of these names, and their parents, are too many
        when others are gone."""
        after = set(self._folders).difference(gone)
        for path in new:
            after.update(path[:depth] for depth in range(1, len(path) + 1))
        for root, limits in self._roots().items():
            count = sum(covers(root, each) for each in after)
            more = count > sum(covers(root, each) for each in self._folders)
            if limits.mailboxes is not None and more and count > limits.mailboxes:
                raise OverQuota("Too many mailboxes")


def check_path(path: Path) -> None:
    """Raises BadMailboxName for a path that no store has to keep."""
    if not path or not all(path):
        raise BadMailboxName("A part of the mailbox name is empty")
    if path[0] != "INBOX" and path[0].upper() == "INBOX":
        raise BadMailboxName("INBOX is written in upper case")
    try:
        octets = len("/".join(path).encode())
    except UnicodeEncodeError as bad:
        raise BadMailboxName() from bad
    if octets > MOST_PATH_OCTETS:
        raise BadMailboxName("Mailbox name is too long")


def _order(path: Path) -> tuple[bool, Path]:
    return path[:1] != INBOX, path
