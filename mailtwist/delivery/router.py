"""Where a recipient's mail goes, decided at RCPT."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from attrs import evolve
from zope.interface import implementer

from ..address import Address
from ..config.model import Config
from ..directory.model import Account
from ..errors import MailboxDisabled, MailError, NoRoute, NoSuchUser, OverQuota
from ..interfaces import (
    IDelivery,
    IDirectory,
    IListFiles,
    IMailingLists,
    IRouter,
    ITable,
)
from ..mailbox.interfaces import IStore
from ..mailbox.model import Path
from ..mailbox.posting import Posting
from .explain import Decision
from .model import LocalRecipient, Recipient, RemoteRecipient, Target
from .router_accounts import POSTMASTER, Accounts
from .router_branch import Branch, Leaf
from .router_places import LOCAL, Places
from .router_walk import Rooms, Walk
from .router_ways import Ways
from .senders import Senders

ACCOUNT: Path = ()  # whatever the mailbox


@implementer(IRouter)
class Router:
    """Aliases, accounts, relay domains and routes, in Postfix's order of precedence.

    It keeps nothing in memory: an account that was just added or removed counts as soon
    as the directory knows.  A directory's or a table's fault goes through as it is.
    """

    def __init__(
        self,
        directory: IDirectory,
        store: IStore,
        config: Config,
        queue: IDelivery | None = None,
        *,
        tables: Mapping[str, ITable] | None = None,
        alias_files: Sequence[ITable] = (),
        lists: IListFiles | None = None,
        mailing: IMailingLists | None = None,
        senders: Senders | None = None,
        pause: Callable[[], Awaitable[None]] | None = None,
        posting: Posting | None = None,
    ) -> None:
        """`queue` takes what goes elsewhere; without one there is no way out.

        `tables` are those of the configuration by name, `alias_files` those of
        `alias.files`; `senders` rewrites those of forwarded mail; `pause` gives others
        their turn while a long list is walked; `posting` knows mailboxes that
        subaddresses post into."""
        self._store, self._posting = store, posting
        self._full, self._sieve = config.quota.full_status, config.sieve
        tables = tables or {}
        # What an address literal of this host, or no domain, stands for.
        default = next(
            (d.name for d in config.domain if not d.name.startswith("[")), ""
        )
        self._rooms = Rooms(
            accounts=Accounts(directory, config),
            config=config,
            places=Places(directory, config, tables),
            ways=Ways(config, tables),
            virtual=[tables[name] for name in config.alias.virtual],
            alias_files=alias_files,
            lists=lists,
            mailing=mailing,
            senders=senders,
            may_queue=queue is not None,
            default_domain=default,
            pause=pause,
        )
        alias = evolve(config.alias, forward=False)
        self._ending_here = evolve(self._rooms, config=evolve(config, alias=alias))

    async def resolve(
        self,
        address: Address,
        *,
        may_relay: bool,
        size_octets: int | None = None,
        sender: Address | None = None,
        behind: str = "",
        poster: Collection[str] = (),
    ) -> Recipient:
        """See IRouter.

        A sender that may relay may also leave the domain out, as people type it."""
        walk = Walk(self._rooms, sender=sender, may_relay=may_relay)
        return await self._decided(
            address, walk, may_relay, size_octets, behind, poster
        )

    async def explain(
        self, address: Address, *, may_relay: bool, sender: Address | None = None
    ) -> Decision:
        """The decision with every step to it; raises nothing."""
        said = str(address)
        walk = Walk(self._rooms, sender=sender, may_relay=may_relay, tells=True)
        try:
            recipient = await self._decided(address, walk, may_relay, None)
        except MailError as fault:
            return Decision(said, tuple(walk.steps), fault=fault)
        return Decision(said, tuple(walk.steps), recipient)

    async def _decided(
        self,
        address: Address,
        walk: Walk,
        may_relay: bool,
        size_octets: int | None,
        behind: str = "",
        poster: Collection[str] = (),
    ) -> Recipient:
        address = self._whole(address, may_relay=may_relay)
        await walk.go(Branch(address, (behind,) if behind else ()))
        leaves = walk.leaves
        refused = all(leaf.fault is not None for leaf in leaves)
        if refused and self._rooms.accounts.is_postmaster(address):
            # RFC 5321 §4.5.1: also where aliases lead to nobody.
            found = await self.mailbox(address, size_octets=size_octets)
            walk.told(address, "postmaster", found.account.name)
            return found
        return await self._recipient(address, leaves, size_octets, poster)

    async def owner(self, address: Address) -> Account | None:
        """See IRouter."""
        walk = Walk(self._ending_here, sender=None, may_relay=False)
        try:
            await walk.go(Branch(address))
        except MailError as fault:
            if fault.temporary:
                raise
            return None
        found = {leaf.account.name if leaf.account else "" for leaf in walk.leaves}
        return walk.leaves[0].account if len(found) == 1 else None

    async def mailbox(
        self, address: Address, *, size_octets: int | None = None, login: str = ""
    ) -> LocalRecipient:
        """See IRouter."""
        rooms, said = self._rooms, address
        place = await rooms.places.of(address.domain)
        if place.alias_of:
            address = Address(address.local_part, place.alias_of)
        account, detail = await rooms.accounts.find(address)
        if account is None or not account.receives:
            if place.kind == LOCAL and rooms.accounts.is_postmaster(address):
                account = await rooms.accounts.postmaster()
            if account is None:
                raise NoSuchUser("No mailbox of that name here")
            if not account.receives:
                raise MailboxDisabled()
        poster: Collection[str] = ()
        if detail and login and self._posting is not None:
            poster = await rooms.accounts.identifiers(login)
        found = LocalRecipient(said, account, detail)
        return await self._placed(found, poster, size_octets)

    async def _placed(
        self,
        recipient: LocalRecipient,
        poster: Collection[str],
        size_octets: int | None,
    ) -> LocalRecipient:
        """With the mailbox that its subaddress posts into, which has room for it."""
        account = recipient.account
        if self._posting is not None and recipient.detail:
            path = await self._posting.place(account, recipient.detail, poster)
            if path is not None:
                recipient = evolve(recipient, path=path)
        whole = self._has_scripts(account)
        await self._check_room(
            account, ACCOUNT if whole else recipient.path, size_octets
        )
        return recipient

    def _has_scripts(self, account: Account) -> bool:
        """True if nobody knows the mailbox before its scripts have seen the message."""
        sieve = self._sieve
        for_all = sieve.before or sieve.after or sieve.default
        return sieve.enabled and bool(
            for_all or self._store.script_stamp(account) is not None
        )

    def _whole(self, address: Address, *, may_relay: bool) -> Address:
        if address.domain:
            return address
        if not may_relay and address.local_part.lower() != POSTMASTER:
            raise NoSuchUser("A recipient needs a domain")
        return Address(address.local_part, self._rooms.default_domain)

    async def _recipient(
        self,
        address: Address,
        leaves: Sequence[Leaf],
        size_octets: int | None,
        poster: Collection[str],
    ) -> Recipient:
        """One mailbox here needs no queue; faults alone are one fault."""
        faults = [leaf.fault for leaf in leaves if leaf.fault is not None]
        if len(faults) == len(leaves):
            raise faults[0] if faults else NoSuchUser("List is empty")
        leaf = leaves[0]
        account = leaf.account
        if account is not None and len(leaves) == 1:
            if leaf.target.sender is None or not self._rooms.may_queue:
                found = LocalRecipient(address, account, leaf.detail)
                return await self._placed(found, poster, size_octets)
            await self._check_room(account, ACCOUNT, size_octets)
        targets = tuple(leaf.target for leaf in leaves)
        if targets == (Target(address),):  # to the MX of its domain
            return RemoteRecipient(address)
        if not self._rooms.may_queue:
            raise NoRoute()
        return RemoteRecipient(address, targets)

    async def _check_room(
        self, account: Account, path: Path, size_octets: int | None
    ) -> None:
        """Raises OverQuota if that mailbox, or what it counts towards, is full."""
        if not self._store.may_be_full(account):
            return
        if path != ACCOUNT and self._has_scripts(account):
            path = ACCOUNT
        more = max(size_octets or 0, 1)
        if not await self._store.mailboxes(account).fits(path, more):
            raise OverQuota(status=self._full)
