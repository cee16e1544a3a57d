"""Who shares mailboxes with whom, and where these stand among everybody's names.

    Other Users/bob@example.org/Work      a mailbox that bob gave rights to
    Shared/News/Python                    a mailbox of a public folder

Rights lie with each mailbox, in the account whose it is.  An index says who may have
been given some: it is put down before a right is, so what it does not know nobody has,
and no other account is opened to look.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

from attrs import field, frozen
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredSemaphore,
    TimeoutError,
)
from twisted.logger import Logger
from zope.interface import Interface

from ..errors import MailboxNotSelectable, MailError, NoSuchMailbox, NotPermitted
from .interfaces import IRights
from .model import INBOX, Namespaces, Path
from .rights import ANYONE, GROUP, NEGATIVE, Entries, Rights, granted
from .watchers import Watchers

log = Logger("mailtwist")

ANONYMOUS = "anonymous"  # who did not say who he is (RFC 4314 §2)
RESERVED = frozenset({ANYONE, ANONYMOUS})
MOST_OWNERS = 1000  # whose mailboxes one login is shown
AT_ONCE = 8  # accounts that are asked for one login
LOOK_S = 10.0  # for an account to tell its names; then it is left out
KNOWN_S = 10.0  # an account is looked up anew after

Found = TypeVar("Found")


@frozen
class Reader:
    """A login as lists of rights mean it: by its name, and by its groups."""

    name: str
    identifiers: frozenset[str]

    @classmethod
    def of(
        cls, name: str, groups: Collection[str] = (), *, anonymous: bool = False
    ) -> Reader:
        found = {name, *(f"{GROUP}{group}" for group in groups)}
        return cls(name, frozenset(found | {ANONYMOUS} if anonymous else found))


def prepared(identifier: str, key: Callable[[str], str]) -> str:
    """An identifier with the key of an account in place of its name."""
    name = identifier.removeprefix(NEGATIVE)
    if name in RESERVED or name.startswith(GROUP):
        return identifier
    return identifier[: len(identifier) - len(name)] + key(name)


class IShares(Interface):
    """The index; what a method answered is on disk."""

    async def owners(identifiers: frozenset[str]) -> list[str]:
        """Names of the accounts that may have given something to one of these."""

    async def note(owner: str, identifier: str) -> int:
        """The account is about to give something; how often that was noted."""

    async def forget(owner: str, identifier: str, noted: int) -> None:
        """It has given nothing, unless more was noted meanwhile."""

    async def keeps_sent(address: str) -> bool:
        """True if a copy of what others send from it goes into its Sent."""


@frozen
class Beyond:
    """A tree of mailboxes that are not the login's own.

    `place` stands in front of its names; with `top_is_inbox` its INBOX has that name
    alone.  `default` is the list of those of its mailboxes that have none.
    """

    place: Path
    tree: IRights
    default: Entries = field(factory=dict)
    top_is_inbox: bool = False

    def outer(self, path: Path) -> Path:
        """The name that others know a mailbox by."""
        return self.place if self.top_is_inbox and path == INBOX else self.place + path

    def inner(self, path: Path) -> Path:
        """The name in the tree; raises MailboxNotSelectable for one above it."""
        rest = path[len(self.place) :]
        if not rest:
            if self.top_is_inbox:
                return INBOX
            raise MailboxNotSelectable()
        return (*INBOX, *rest[1:]) if rest[0].upper() == INBOX[0] else rest

    def holds(self, path: Path) -> bool:
        return path[: len(self.place)] == self.place

    async def rights(self, reader: Reader, path: Path) -> Rights:
        """What `reader` may do with a mailbox of the tree."""
        return self.held(await self.tree.known_lists(), reader, path)

    def held(self, lists: Mapping[Path, Entries], reader: Reader, path: Path) -> Rights:
        """As `rights`, of the tree's lists."""
        return granted(lists.get(path, self.default), reader.identifiers)

    def watched(self, end: Callable[[], None]) -> Callable[[], None]:
        """A mailbox of the tree is watched until what this returns is called, as `end`
        is then."""
        return end

    @property
    def base(self) -> Entries | None:
        """What IRights.set_rights takes for the list of a mailbox that has none."""
        return self.default if self.top_is_inbox else None


@frozen
class PublicFolder:
    """Mailboxes that nobody owns; `tree` gives them."""

    tree: Callable[[], IRights]
    rights: Entries


class Sharing:
    """What a server shares.

    `trees` gives the mailboxes of the account of a name, None if there is none; `key`
    what names of accounts are compared by.  Without `anyone` nothing may be given to
    everybody: each LIST would look into every account that did.  With `own_seen`
    readers have a \\Seen of their own.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        shares: IShares,
        trees: Callable[[str], Awaitable[IRights | None]],
        key: Callable[[str], str],
        public: Mapping[str, PublicFolder],
        names: Namespaces,
        anyone: bool = True,
        own_seen: bool = True,
    ) -> None:
        self._reactor, self.shares, self._trees = reactor, shares, trees
        self._key, self._public, self.names = key, dict(public), names
        self._anyone, self.own_seen = anyone, own_seen
        self._known: dict[str, tuple[float, IRights | None]] = {}
        self._asked: set[str] = set()  # for lists that another server left
        self.watchers: Watchers[None] = Watchers()  # something was given or taken

    @property
    def has_public(self) -> bool:
        return bool(self._public)

    def show(self, name: str, make: Callable[[], PublicFolder]) -> None:
        """One more public folder, if there is none of that name."""
        if name not in self._public:
            self._public[name] = make()

    @property
    def clock(self) -> Any:
        """IReactorTime."""
        return self._reactor

    def reader(
        self, name: str, groups: Collection[str] = (), *, anonymous: bool = False
    ) -> Reader:
        return Reader.of(self._key(name), groups, anonymous=anonymous)

    def identifier(self, text: str, owner: str) -> str:
        """As it stands in lists: an account by its key, but the owner by its name.

        Raises NotPermitted for one that may be given nothing."""
        if text in RESERVED and not self._anyone:
            raise NotPermitted("Nothing may be shared with everybody here")
        found = prepared(text, self._key)
        if owner and found.removeprefix(NEGATIVE) == self._key(owner):
            return found[: found.startswith(NEGATIVE)] + owner
        return found

    # -- finding --------------------------------------------------------------

    async def owners(self, reader: Reader) -> list[str]:
        """Accounts that may have given something to the reader, sorted."""
        found = await self.shares.owners(reader.identifiers | {ANYONE})
        return [one for one in found if self._key(one) != reader.name][:MOST_OWNERS]

    async def beyond(self, reader: Reader, path: Path) -> Beyond:
        """The tree that a name is in; raises NoSuchMailbox."""
        if len(path) > 1 and path[0] == self.names.shared:
            folder = self._public.get(path[1])
            if folder is not None:
                return self._of_public(path[1], folder)
        if (
            len(path) > 1
            and path[0] == self.names.others
            and path[1] in await self.owners(reader)
        ):
            tree = await self._tree(path[1])
            if tree is not None:
                return Beyond(path[:2], tree)
        raise NoSuchMailbox()

    def _of_public(self, name: str, folder: PublicFolder) -> Beyond:
        place = (self.names.shared, name)
        return Beyond(place, folder.tree(), folder.rights, top_is_inbox=True)

    async def all_beyond(self, reader: Reader) -> list[Beyond]:
        """Every tree that may have something for the reader."""
        await self._note_left(reader.name)

        async def of(owner: str) -> Beyond | None:
            tree = await self._tree(owner)
            return None if tree is None else Beyond((self.names.others, owner), tree)

        try:
            owners = await self.owners(reader)
        except MailError as fault:  # one's own mailboxes are there without it
            log.warn(
                "who shares with {name}: {why}", name=reader.name, why=fault.public
            )
            owners = []
        found = await self.each(owners, of)
        public = [self._of_public(*each) for each in sorted(self._public.items())]
        return [one for one in found if one is not None] + public

    async def _note_left(self, name: str) -> None:
        """Put down in the index what an account gives by lists that it had from the
        server before us: asked once, as nobody told it to `give`."""
        if name in self._asked:
            return
        if len(self._asked) >= MOST_OWNERS:
            self._asked.clear()
        self._asked.add(name)
        try:
            tree = await self._tree(name)
            lists = {} if tree is None else await tree.known_lists()
            given = {one for entries in lists.values() for one in entries}
            for one in sorted(given):
                if tree is not None and one != tree.owner and one[0] != NEGATIVE:
                    await self.shares.note(tree.owner, one)
        except MailError as fault:
            self._asked.discard(name)
            log.warn("what {name} shares: {why}", name=name, why=fault.public)

    async def _tree(self, owner: str) -> IRights | None:
        now = self._reactor.seconds()
        until, tree = self._known.get(owner, (0.0, None))
        if now >= until:
            tree = await self._trees(owner)
            if len(self._known) >= MOST_OWNERS:
                self._known.clear()
            self._known[owner] = now + KNOWN_S, tree
        return tree

    async def each(
        self, things: Collection[Any], ask: Callable[[Any], Awaitable[Found]]
    ) -> list[Found]:
        """What `ask` says of each but those that cannot tell, or not soon."""
        turns = DeferredSemaphore(AT_ONCE)

        def begun(thing: Any) -> Deferred[Found]:
            asked = Deferred.fromCoroutine(_coroutine(ask(thing)))
            return asked.addTimeout(LOOK_S, self._reactor)

        waiting = [turns.run(begun, thing) for thing in things]
        found = []
        try:
            for thing, asked in zip(things, waiting, strict=True):
                try:
                    found.append(await asked)
                except (MailError, TimeoutError) as fault:
                    log.warn(
                        "what is shared in {where}: {why}",
                        where=getattr(thing, "place", thing),
                        why=str(fault),
                    )
        except BaseException:
            for asked in waiting:
                asked.addErrback(lambda failure: failure.trap(CancelledError) and None)
                asked.cancel()
            raise
        return found

    # -- giving ---------------------------------------------------------------

    async def give(
        self, owner: str, identifier: str, change: Callable[[], Awaitable[None]]
    ) -> None:
        """Run `change` of a list, noted before for who may get something by it.

        It is noted again behind it, as `settle` may come between."""
        gives = not identifier.startswith(NEGATIVE) and identifier != owner
        if gives:
            await self.shares.note(owner, identifier)
        try:
            await change()
            if gives:
                await self.shares.note(owner, identifier)
        finally:
            self.watchers.tell(None)

    async def settle(self, owner: str, identifier: str, tree: IRights) -> None:
        """Forget it in the index if it has nothing any more."""
        name = identifier.removeprefix(NEGATIVE)
        noted = await self.shares.note(owner, name)
        lists = (await tree.lists()).values()
        if not any(name in entries for entries in lists):
            await self.shares.forget(owner, name, noted)


async def _coroutine(waiting: Awaitable[Found]) -> Found:
    return await waiting
