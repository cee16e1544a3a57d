"""The mailboxes of a login: its own, and what others and the server share with it.

Its own are as the store has them.  Whatever is asked of others is asked of the account
whose they are, and only for what its list lets this login do (RFC 4314 §4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve
from twisted.python.components import proxyForInterface
from zope.interface import alsoProvides, implementer

from ..errors import MailboxNotSelectable, NoSuchMailbox, NotPermitted
from ..flags import SEEN, Flags
from . import shared_metadata
from .events import SCRIPT
from .held_rights import check
from .interfaces import (
    IIndexedMailboxes,
    IMailbox,
    IRights,
    IScripts,
    ISharedMailboxes,
    IUpload,
)
from .linked import Links
from .metadata import PRIVATE
from .model import (
    INBOX,
    Annotation,
    Appended,
    Limits,
    Listing,
    MailboxInfo,
    MailboxStatus,
    Namespaces,
    Path,
    Quota,
    TextFigures,
    Usage,
)
from .rights import NEGATIVE, Entries, Rights, RightsChange, changeable, parsed
from .shared_mailbox import OwnMailbox, ViewedMailbox
from .shared_watch import SharedWatch
from .sharing import Beyond, Reader, Sharing

Message = tuple[IUpload, Flags, int | None]


# Scripts are the login's own.
OwnScripts: Any = proxyForInterface(IScripts, "own")


@implementer(ISharedMailboxes)
class SharedMailboxes(OwnScripts):
    """See ISharedMailboxes."""

    def __init__(
        self,
        own: IRights,
        reader: Reader,
        sharing: Sharing,
        deleted: IRights | None = None,
        links: Links | None = None,
    ) -> None:
        """`deleted`: the mailboxes of what the login deleted, which it may read."""
        super().__init__(own)
        self.own: IRights
        self.reader, self._sharing, self._links = reader, sharing, links
        self._known: dict[Path, Beyond] = {}  # by place
        self._deleted: Beyond | None = None
        if deleted is not None and sharing.names.deleted:
            place, may = (sharing.names.deleted,), {reader.name: parsed("lr")}
            self._deleted = Beyond(place, deleted, may)
        if IIndexedMailboxes.providedBy(own):
            alsoProvides(self, IIndexedMailboxes)

    @property
    def owner(self) -> str:
        return str(self.own.owner)

    @property
    def namespaces(self) -> Namespaces:
        return self._sharing.names

    def personal(self, path: Path) -> bool:
        return self.namespaces.personal(path)

    # -- others ---------------------------------------------------------------

    async def _beyond(self, path: Path) -> Beyond:
        """The tree of others that a name is in; raises NoSuchMailbox."""
        if self._deleted is not None and self._deleted.holds(path):
            return self._deleted
        try:
            beyond = await self._sharing.beyond(self.reader, path)
        except NoSuchMailbox:
            linked = await self._linked(path)
            if linked is None:
                raise
            beyond = linked
        self._known[beyond.place] = beyond
        return beyond

    async def _linked(self, path: Path, *, anew: bool = False) -> Beyond | None:
        if self._links is None or path[0] != self.namespaces.shared:
            return None
        trees = await self._links.trees(anew=anew)
        return next((one for one in trees if one.place == path[:2]), None)

    async def _all_beyond(self) -> list[Beyond]:
        found = await self._sharing.all_beyond(self.reader)
        if self._links is not None:
            public = {one.place for one in found}
            links = await self._links.shown()
            found += [one for one in links if one.place not in public]
        return found if self._deleted is None else [*found, self._deleted]

    async def _permitted(self, path: Path, wanted: str) -> tuple[Beyond, Path]:
        """The tree, and the name there of a mailbox that the login may do this with."""
        beyond = await self._beyond(path)
        inner = beyond.inner(path)
        check(await beyond.rights(self.reader, inner), wanted)
        return beyond, inner

    async def need(self, path: Path, wanted: str) -> None:
        """Raises NotPermitted, NoSuchMailbox."""
        if self.personal(path):
            check(await self.own.may(path), wanted)
        else:
            await self._permitted(path, wanted)

    async def arrived(
        self, beyond: Beyond, path: Path, uids: Sequence[int], seen: Sequence[int]
    ) -> None:
        """Copies in a tree of others: flags that the login may not set go, and its own
        mark comes."""
        if not uids:
            return
        held = await beyond.rights(self.reader, path)
        mailbox: Any = await beyond.tree.open(path)  # IReadByMany, as of all of IRights
        try:
            if not held.issuperset("swt"):
                await shared_metadata.drop_flags(
                    mailbox, uids, held | {"s"} if self._sharing.own_seen else held
                )
            if seen and "s" in held and self._sharing.own_seen:
                await mailbox.see(self.reader.name, seen, True)
        finally:
            await mailbox.close()

    async def home(self, path: Path) -> tuple[IRights, Path]:
        if self.personal(path):
            return self.own, path
        beyond = await self._beyond(path)
        return beyond.tree, beyond.inner(path)

    # -- the tree -------------------------------------------------------------

    async def listed(self) -> list[MailboxInfo]:
        mine: list[MailboxInfo] = await self.own.listed()
        trees = await self._all_beyond()
        shown = await self._sharing.each(trees, self._listed)
        if not any(shown) and self._all_personal(mine):
            return mine  # with all that was made of it
        found = [info for info in mine if self.personal(info.path)]
        subscribed = {info.path for info in mine if info.subscribed}
        for infos in shown:
            found += infos
        told = {info.path for info in found}
        for path in sorted(told - {info.path for info in mine}):
            for depth in range(1, len(path)):
                if path[:depth] not in told:  # above what may be seen
                    told.add(path[:depth])
                    found.append(MailboxInfo(path[:depth], "", selectable=False))
        found += [
            MailboxInfo(path, "", selectable=False, exists=False)
            for path in subscribed - told
            if not self.personal(path)
        ]
        others = [
            evolve(info, subscribed=info.path in subscribed)
            for info in found
            if not self.personal(info.path)
        ]
        found = [info for info in found if self.personal(info.path)]
        return found + sorted(others, key=lambda info: info.path)

    def _all_personal(self, mine: list[MailboxInfo]) -> bool:
        if not isinstance(mine, Listing):
            return False
        key = self.namespaces
        if key not in mine.derived:
            mine.derived[key] = all(self.personal(info.path) for info in mine)
        return bool(mine.derived[key])

    async def _listed(self, beyond: Beyond) -> list[MailboxInfo]:
        """What of a tree may be looked up; its special uses are its owner's."""
        lists = await beyond.tree.known_lists()
        if not (lists or beyond.default):
            return []
        return [
            MailboxInfo(
                beyond.outer(info.path),
                info.object_id,
                selectable=info.selectable,
                marked=info.marked,
            )
            for info in await beyond.tree.listed()
            if info.exists and "l" in beyond.held(lists, self.reader, info.path)
        ]

    async def near(self, path: Path) -> list[MailboxInfo]:
        if self.personal(path):
            mine: list[MailboxInfo] = await self.own.listed()
            if self._all_personal(mine):
                return mine
            return [info for info in mine if self.personal(info.path)]
        return await self._listed(await self._beyond(path))

    async def create(
        self, path: Path, special_uses: frozenset[str] = frozenset()
    ) -> str:
        if self.personal(path):
            made: str = await self.own.create(path, special_uses)
            return made
        beyond = await self._beyond(path)
        inner = beyond.inner(path)
        await self._need_above(beyond, inner)
        object_id: str = await beyond.tree.create(inner)
        return object_id

    async def _need_above(self, beyond: Beyond, inner: Path) -> None:
        """ "k" on the nearest parent; nobody else makes what is at the top of an
        account, and INBOX is above all of a public folder."""
        there = {info.path for info in await beyond.tree.listed() if info.object_id}
        for depth in range(len(inner) - 1, 0, -1):
            if inner[:depth] in there:
                check(await beyond.rights(self.reader, inner[:depth]), "k")
                return
        if not beyond.top_is_inbox:
            raise NotPermitted()
        check(await beyond.rights(self.reader, INBOX), "k")

    async def delete(self, path: Path) -> None:
        if self.personal(path):
            await self.own.delete(path)
            return
        beyond, inner = await self._permitted(path, "x")
        await beyond.tree.delete(inner)

    async def rename(self, old: Path, new: Path) -> None:
        if self.personal(old) and self.personal(new):
            await self.own.rename(old, new)
            return
        if self.personal(old) or self.personal(new):
            raise NotPermitted("A mailbox stays in the account that it is in")
        beyond, inner = await self._permitted(old, "x")
        if not beyond.holds(new) or inner == INBOX:
            raise NotPermitted("A mailbox stays in the account that it is in")
        await self._need_above(beyond, beyond.inner(new))
        await beyond.tree.rename(inner, beyond.inner(new))

    async def subscribe(self, path: Path) -> None:
        await self.own.subscribe(path)

    async def unsubscribe(self, path: Path) -> None:
        await self.own.unsubscribe(path)

    async def watch(
        self, changed: Callable[[Path | None], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        watch = SharedWatch(self._sharing, self.reader, changed)
        return await watch.begun(self.own, lost)

    # -- what is in it --------------------------------------------------------

    async def status(self, path: Path) -> MailboxStatus:
        if self.personal(path):
            found: MailboxStatus = await self.own.status(path)
            return found
        mailbox = await self._viewed(path, read_only=True)
        try:
            return await mailbox.status()
        finally:
            await mailbox.close()

    async def open(self, path: Path, *, read_only: bool = False) -> IMailbox:
        if not self.personal(path):
            mailbox = await self._viewed(path, read_only=read_only)
            await mailbox.learn()
            viewed: IMailbox = mailbox
            return viewed
        own: IMailbox = OwnMailbox(await self.own.open(path, read_only=read_only), self)
        return own

    async def _viewed(self, path: Path, *, read_only: bool) -> ViewedMailbox:
        beyond, inner = await self._permitted(path, "r")
        mailbox: Any = await beyond.tree.open(inner, read_only=read_only)
        own_seen = self._sharing.own_seen and beyond is not self._deleted
        return ViewedMailbox(mailbox, self, beyond, path, own_seen=own_seen)

    def upload(self, path: Path = INBOX) -> IUpload:
        """Of a name of others that was asked about before."""
        if self.personal(path):
            upload: IUpload = self.own.upload(path)
            return upload
        beyond = self._known.get(path[:2])
        if beyond is None:
            raise NoSuchMailbox()
        return beyond.tree.upload(beyond.inner(path))

    async def append(self, path: Path, messages: Sequence[Message]) -> Appended:
        if self.personal(path):
            mine: Appended = await self.own.append(path, messages)
            return mine
        try:
            beyond, inner = await self._permitted(path, "i")
            held = await beyond.rights(self.reader, inner)
        except BaseException:
            for upload, _, _ in messages:
                upload.abort()
            raise
        own_seen = frozenset({SEEN} if self._sharing.own_seen else ())
        may = [(one, changeable(flags, held), date) for one, flags, date in messages]
        appended: Appended = await beyond.tree.append(
            inner, [(one, flags - own_seen, date) for one, flags, date in may]
        )
        await self._linked(path, anew=True)  # others see it then
        pairs = zip(appended.uids, may, strict=True)
        seen = [uid for uid, (_, flags, _) in pairs if own_seen & flags]
        if seen:
            await self.arrived(beyond, inner, seen, seen)
        return appended

    async def usage(self) -> Usage:
        usage: Usage = await self.own.usage()
        return usage

    async def quotas(self, path: Path | None = None) -> list[Quota]:
        """Of others only those that a mailbox of theirs counts towards."""
        if path is None or self.personal(path):
            mine: list[Quota] = await self.own.quotas(path)
            return mine
        beyond = await self._beyond(path)
        rest = path[len(beyond.place) :]
        return [
            quota if quota.domain else evolve(quota, root=beyond.place + quota.root)
            for quota in await beyond.tree.quotas(beyond.inner(path) if rest else INBOX)
        ]

    async def set_limits(self, path: Path, limits: Limits) -> None:
        if not self.personal(path):
            raise NotPermitted()
        await self.own.set_limits(path, limits)

    async def fits(self, path: Path, octets: int, messages: int = 1) -> bool:
        if self.personal(path):
            return bool(await self.own.fits(path, octets, messages))
        beyond, inner = await self._permitted(path, "i")
        return bool(await beyond.tree.fits(inner, octets, messages))

    async def recount(self) -> Usage:
        usage: Usage = await self.own.recount()
        return usage

    async def access_key(self, path: Path, *, make: bool = False) -> bytes | None:
        self._own_only(path)
        key: bytes | None = await self.own.access_key(path, make=make)
        return key

    async def reset_access_keys(self, path: Path | None = None) -> None:
        self._own_only(path or INBOX)
        await self.own.reset_access_keys(path)

    def _own_only(self, path: Path) -> None:
        """Keys are their owner's (RFC 4467 §2.2)."""
        if not self.personal(path):
            raise NotPermitted("Only the owner of a mailbox authorizes URLs in it")

    async def index_text(self, anew: bool = False) -> TextFigures:
        indexed: Any = self.own
        figures: TextFigures = await indexed.index_text(anew)
        return figures

    # -- annotations ----------------------------------------------------------

    async def metadata(
        self, path: Path | None, names: Sequence[str] = ()
    ) -> list[Annotation]:
        if path is None or self.personal(path):
            held: list[Annotation] = await self.own.metadata(path, names)
            mine = shared_metadata.owners(held)
            if path is not None:
                return mine
            trees = await self._all_beyond()
            others = shared_metadata.of_all(self._sharing, trees, self.reader, names)
            return mine + await others
        beyond, inner = await self._permitted(path, "r")
        return await shared_metadata.read(beyond, self.reader, inner, names)

    async def set_metadata(
        self, path: Path, values: Sequence[tuple[str, bytes | None]], most: int
    ) -> None:
        if self.personal(path):
            await self.own.set_metadata(path, values, most)
            return
        private = all(name.startswith(PRIVATE) for name, _ in values)
        wanted = "lr" if private else "lrw"
        if any(name == SCRIPT for name, _ in values):  # it acts for the owner
            wanted += "a"
        beyond, inner = await self._permitted(path, wanted)
        await shared_metadata.write(beyond, self.reader, inner, values, most)

    # -- rights ---------------------------------------------------------------

    def owner_of(self, path: Path) -> str:
        if self.personal(path):
            return self.owner
        return path[1] if path[0] == self.namespaces.others and len(path) > 1 else ""

    async def rights(self, path: Path) -> dict[str, Rights]:
        if self.personal(path):
            mine: dict[str, Rights] = await self.own.rights(path)
            return mine
        beyond, inner = await self._permitted(path, "a")
        found: dict[str, Rights] = await beyond.tree.rights(inner)
        given = inner in await beyond.tree.known_lists()
        return found if given or not beyond.default else dict(beyond.default)

    async def set_rights(
        self,
        path: Path,
        identifier: str,
        wanted: RightsChange,
        default: Entries | None = None,
    ) -> None:
        tree, inner, base = self.own, path, default
        if not self.personal(path):
            beyond, inner = await self._permitted(path, "a")
            tree, base = beyond.tree, beyond.base
        owner = self.owner_of(path)
        name = self._sharing.identifier(identifier, owner)

        async def change() -> None:
            await tree.set_rights(inner, name, wanted, base)

        if base is not None:  # everybody looks into public folders
            await change()
            self._sharing.watchers.tell(None)
            return
        await self._sharing.give(owner, name, change)
        held = (await tree.lists()).get(inner, {})
        if name not in held and not name.startswith(NEGATIVE):
            await self._sharing.settle(owner, name, tree)

    async def lists(self) -> dict[Path, dict[str, Rights]]:
        lists: dict[Path, dict[str, Rights]] = await self.own.lists()
        return lists

    async def known_lists(self) -> Mapping[Path, Entries]:
        lists: Mapping[Path, Entries] = await self.own.known_lists()
        return lists

    async def known_annotation(self, name: str) -> Mapping[Path, bytes]:
        values: Mapping[Path, bytes] = await self.own.known_annotation(name)
        return values

    async def my_rights(self, path: Path) -> Rights:
        if self.personal(path):
            mine: Rights = await self.own.my_rights(path)
            return mine
        beyond = await self._beyond(path)
        inner = beyond.inner(path)
        held = await beyond.rights(self.reader, inner)
        if not held:
            raise NoSuchMailbox()
        await beyond.tree.rights(inner)  # raises if it is not there
        return held

    async def may(self, path: Path) -> Rights:
        if self.personal(path):
            mine: Rights = await self.own.may(path)
            return mine
        try:
            beyond = await self._beyond(path)
            return await beyond.rights(self.reader, beyond.inner(path))
        except (NoSuchMailbox, MailboxNotSelectable):
            return frozenset()

    async def limited(self) -> dict[Path, Rights]:
        """Of its own; what may be done with others, `may` tells."""
        limited: dict[Path, Rights] = await self.own.limited()
        return limited
