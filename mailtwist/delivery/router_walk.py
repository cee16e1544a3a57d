"""One address on its way through domains, aliases, accounts and routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache

from attrs import evolve, frozen
from twisted.logger import Logger

from ..address import Address
from ..config.model import Config
from ..directory.model import Account
from ..errors import (
    AliasLoop,
    LookupFailed,
    MailboxDisabled,
    MailError,
    NoRoute,
    NoSuchUser,
    RelayDenied,
    SyntaxFault,
)
from ..interfaces import IListFiles, IMailingLists, ITable
from . import alias_grammar
from .alias_grammar import (
    AtDomain,
    Command,
    File,
    Include,
    Mailbox,
    Value,
    each_value,
)
from .explain import Step
from .forward import forward_values
from .keys import address_keys, catch_all_key, same, spelled, spelled_address
from .model import Route, Target
from .router_accounts import Accounts
from .router_branch import Branch, Leaf
from .router_places import ALIASES, ELSEWHERE, LOCAL, Place, Places, first_value
from .router_ways import Ways
from .routes import route_fault
from .senders import Senders
from .srs import is_srs

log = Logger("mailtwist")

SHORT_LIST = 4096  # characters; such a list is parsed once
MOST_TOLD = 1000  # characters of a list in one step
WALKED = 100  # addresses after which others have their turn, some 4 ms
OWNER, REQUEST = "owner-", "-request"
MAILBOX = Route("mailbox")
NO_COMMANDS = "5.7.1 Mail to commands and files is not allowed here"


@frozen
class Rooms:
    """What every walk asks."""

    accounts: Accounts
    config: Config
    places: Places
    ways: Ways
    virtual: Sequence[ITable]
    alias_files: Sequence[ITable]
    lists: IListFiles | None
    mailing: IMailingLists | None
    senders: Senders | None
    may_queue: bool
    default_domain: str
    pause: Callable[[], Awaitable[None]] | None = None  # lets others have their turn


class Walk:
    """The leaves of one address, and the steps to them."""

    def __init__(
        self,
        rooms: Rooms,
        *,
        sender: Address | None,
        may_relay: bool,
        tells: bool = False,
    ) -> None:
        """`steps` are kept if somebody wants to be told."""
        self._tells = tells
        self._rooms, self._sender, self._may_relay = rooms, sender, may_relay
        self._separator = rooms.config.delivery.subaddress_separator
        self._alias = rooms.config.alias
        self._leaves: dict[object, Leaf] = {}
        self._walked = 0
        self.steps: list[Step] = []

    @property
    def leaves(self) -> list[Leaf]:
        return list(self._leaves.values())

    def _told(self, branch: Branch, where: str, result: str) -> None:
        self.told(branch.address, where, result)

    def told(self, address: Address, where: str, result: str) -> None:
        """One more step."""
        if not self._tells:
            return
        if len(result) > MOST_TOLD:
            result = f"{result[:MOST_TOLD]}..."
        self.steps.append(Step(str(address), where, result))

    def _leaf(self, branch: Branch, route: Route, run_as: str = "") -> None:
        fault = route_fault(route.next_hop) if route.transport == "error" else None
        self._add(Leaf(branch.target(route, run_as), fault=fault))

    def _add(self, leaf: Leaf) -> None:
        target = leaf.target
        key = (spelled(target.address.local_part, target.address.domain), target.route)
        self._leaves.setdefault((*key, target.run_as), leaf)
        if len(self._leaves) > self._alias.most_targets:
            raise AliasLoop("Address has too many recipients")

    async def go(self, branch: Branch) -> None:
        """Follow one address to its leaves.

        Behind an alias a permanent fault is that target's alone; a temporary one, or a
        loop, is the fault of the whole."""
        self._walked += 1
        if self._walked % WALKED == 0 and self._rooms.pause is not None:
            await self._rooms.pause()
        try:
            await self._go(branch)
        except AliasLoop as fault:
            self._told(branch, "loop", f"{fault.status} {fault.public}")
            raise
        except MailError as fault:
            self._told(branch, "refused", f"{fault.status} {fault.public}")
            if fault.temporary or not branch.chain:
                raise
            route = Route("error", f"{fault.status} {fault.public}")
            self._add(Leaf(branch.target(route), fault=fault))

    async def _go(self, branch: Branch) -> None:
        if len(branch.chain) > self._alias.most_depth:
            raise AliasLoop("Aliases of this address go too deep")
        place = await self._rooms.places.of(branch.address.domain)
        self._told(branch, "domain", place.kind)
        if place.kind == ELSEWHERE and not branch.chain and not self._may_relay:
            raise RelayDenied()
        if place.alias_of:
            self._told(branch, "domain alias", place.alias_of)
            address = Address(branch.address.local_part, place.alias_of)
            branch = evolve(branch, address=address)
            place = await self._rooms.places.of(place.alias_of)
        if (
            not branch.exact
            and not branch.settled
            and await self._virtual(branch, place)
        ):
            return
        match place.kind:
            case "local" | "aliases only":
                await self._local(branch, place)
            case "relay":
                await self._relay(branch, place)
            case _:
                await self._out(branch)

    # -- virtual aliases ----------------------------------------------------------

    async def _virtual(self, branch: Branch, place: Place) -> bool:
        """True if the address was expanded by a table of virtual aliases."""
        tables = self._rooms.virtual
        if not tables:
            return False
        address = branch.address
        bare = place.kind == LOCAL and place.alias_files
        first = True
        for key, left_out in address_keys(address, self._separator, bare=bare):
            asked = [table for table in tables if first or not table.whole_keys]
            first = False
            found = await first_value(asked, key)
            if found is not None:
                await self._expanded_virtual(branch, key, left_out, *found)
                return True
        return place.kind == ELSEWHERE and await self._catch_all(branch)

    async def _catch_all(self, branch: Branch) -> bool:
        """True if `@domain` takes what nobody else does."""
        tables = [table for table in self._rooms.virtual if not table.whole_keys]
        if not tables or branch.exact:
            return False
        key = catch_all_key(branch.address.domain)
        found = await first_value(tables, key)
        if found is not None:
            await self._expanded_virtual(branch, key, "", *found)
        return found is not None

    async def _expanded_virtual(
        self, branch: Branch, key: str, left_out: str, table: ITable, text: str
    ) -> None:
        self._told(branch, f"virtual alias {key} in {table.name}", text)
        for value in self._values(text, f"table {table.name}, {key}"):
            address = self._virtual_address(branch, value, left_out, table, key)
            if same(address, branch.address):
                await self.go(evolve(branch, settled=True))
            else:
                behind = branch.behind(f"virtual {spelled_address(branch.address)}")
                exact = isinstance(value, Mailbox) and value.exact
                await self.go(evolve(behind, address=address, exact=exact))

    def _virtual_address(
        self, branch: Branch, value: Value, left_out: str, table: ITable, key: str
    ) -> Address:
        """The address a virtual alias names, the unmatched detail added to it."""
        match value:
            case AtDomain():
                return Address(branch.address.local_part, value.domain)
            case Mailbox():
                address = value.address
                domain = address.domain or branch.address.domain
                return Address(address.local_part + left_out, domain)
        log.error(
            "table {table}: {key} names {value}; a virtual alias holds addresses only",
            table=table.name,
            key=key,
            value=str(value),
        )
        raise LookupFailed()

    def _values(self, text: str, at: str) -> Iterator[Value]:
        """The values of a list; one that cannot be read is a fault that may pass."""
        short = len(text) <= SHORT_LIST
        try:
            yield from alias_grammar.values(text) if short else each_value(text)
        except SyntaxFault as fault:
            log.error("{at}: {why}: {text!r}", at=at, why=fault.public, text=text[:500])
            raise LookupFailed() from fault

    # -- domains that are ours ----------------------------------------------------

    async def _local(self, branch: Branch, place: Place) -> None:
        address = branch.address
        way = await self._rooms.ways.explicit(address, self._sender)
        if way is not None and way[1].transport in ("error", "discard"):
            self._told(branch, *way_text(way))
            self._leaf(branch, way[1])
            return
        listed = way is None and not branch.exact and place.alias_files
        if listed and await self._alias_file(branch):
            return
        mailing = self._rooms.mailing
        if mailing is not None and way is None and await mailing.serves(address):
            self._told(branch, "mailing list", str(address))
            self._leaf(branch, Route("list"))
            return
        account, detail = None, ""
        if place.kind != ALIASES:
            account, detail = await self._rooms.accounts.find(address)
        if account is None and address.domain.startswith("["):
            self._told(branch, "address literal", self._rooms.default_domain)
            address = Address(address.local_part, self._rooms.default_domain)
            await self._go(evolve(branch, address=address))
            return
        if self._rooms.accounts.is_postmaster(address) and (
            account is None or not account.receives
        ):
            account = await self._rooms.accounts.postmaster()
            self._told(branch, "postmaster", account.name if account else "nobody")
        if account is None:
            await self._unknown(branch)
            return
        if not account.receives:
            raise MailboxDisabled()
        self._told(branch, "account", account.name)
        if way is not None:
            self._told(branch, *way_text(way))
            self._leaf(branch, way[1])
        elif branch.exact or not await self._forward(branch, account, detail):
            self._mailbox(branch, account, detail)

    def _mailbox(self, branch: Branch, account: Account, detail: str) -> None:
        own = own_address(account, self._rooms.default_domain)
        if detail and self._separator:
            own = Address(f"{own.local_part}{self._separator}{detail}", own.domain)
        target = Target(own, MAILBOX, branch.sender, "", branch.of_list)
        self._add(Leaf(target, account, detail))

    async def _unknown(self, branch: Branch) -> None:
        """Nobody here has that name: a rewritten sender, a catch-all, or nobody."""
        senders, address = self._rooms.senders, branch.address
        ours = senders is not None and senders.domain == address.domain
        if senders is not None and ours and is_srs(address.local_part):
            sender = await senders.reverse(address.local_part)
            self._told(branch, "rewritten sender", str(sender))
            await self.go(evolve(branch.behind("srs"), address=sender))
        elif not await self._catch_all(branch):
            raise NoSuchUser()

    # -- /etc/aliases -------------------------------------------------------------

    async def _alias_file(self, branch: Branch) -> bool:
        """True if the local part is an alias."""
        tables, address = self._rooms.alias_files, branch.address
        if not tables:
            return False
        for key in self._alias_keys(address.local_part):
            found = await first_value(tables, key)
            if found is None:
                continue
            table, text = found
            self._told(branch, f"alias {key} in {table.name}", text)
            behind = branch.behind(f"alias {key}")
            owner = await self._owner(key, address.domain)
            if owner:
                behind = evolve(behind, sender=owner, of_list=True)
                self._told(branch, "owner", owner)
            for value in self._values(text, f"{table.name}, {key}"):
                await self._listed(behind, value, key)
            return True
        return False

    def _alias_keys(self, local_part: str) -> Iterator[str]:
        """`name+detail`, then `name`."""
        yield spelled(local_part)
        at = local_part.find(self._separator, 1) if self._separator else -1
        if at > 0:
            yield spelled(local_part[:at])

    async def _owner(self, key: str, domain: str) -> str:
        """`owner-name@domain` if there is such an alias; never for a null sender."""
        if self._sender is None or key.startswith(OWNER) or key.endswith(REQUEST):
            return ""
        found = await first_value(self._rooms.alias_files, OWNER + key)
        return f"{OWNER}{key}@{domain}" if found is not None else ""

    async def _listed(self, branch: Branch, value: Value, name: str) -> None:
        """One value of an alias called `name`, or of a list it includes."""
        match value:
            case Mailbox():
                domain = value.address.domain or branch.address.domain
                address = Address(value.address.local_part, domain)
                itself = domain == branch.address.domain and name in self._alias_keys(
                    address.local_part
                )
                exact = value.exact or itself
                await self.go(evolve(branch, address=address, exact=exact))
            case Include():
                await self._included(branch, value, name)
            case Command() | File():
                inside = any(mark.startswith("include ") for mark in branch.chain)
                self._program(branch, value, self._alias.commands and not inside)
            case AtDomain():
                log.error("alias {name}: {value} is no value", name=name, value=value)
                raise LookupFailed()

    async def _included(self, branch: Branch, value: Include, name: str) -> None:
        lists = self._rooms.lists
        if lists is None:
            raise LookupFailed()
        behind = branch.behind(f"include {value.path}")
        kept = evolve(behind, sender=branch.sender)
        text = await lists.include(value.path)
        self._told(branch, f"include {value.path}", text)
        for one in self._values(text, value.path):
            await self._listed(kept, one, name)

    def _program(
        self, branch: Branch, value: Command | File, allowed: bool, run_as: str = ""
    ) -> None:
        route = Route("error", NO_COMMANDS)
        if allowed and isinstance(value, Command):
            route = Route("pipe", value.command)
        elif allowed and isinstance(value, File):
            route = Route("file", value.path)
        self._leaf(branch, route, run_as=run_as)

    # -- accounts -----------------------------------------------------------------

    async def _forward(self, branch: Branch, account: Account, detail: str) -> bool:
        """True if the account's `.forward` was followed.

        One that came back to its account, leads into a loop, or cannot be used, leaves
        the mail to the mailbox."""
        lists, mark = self._rooms.lists, f"forward {account.name}"
        if lists is None or not self._alias.forward or mark in branch.chain:
            return False
        found = await lists.forward(account, detail)
        if found is None:
            return False
        path, text = found
        why, values = forward_values(text, commands=self._alias.forward_commands)
        if why:
            log.warn("{path} is not followed: {why}", path=path, why=why)
            self._told(branch, path, f"not followed: {why}")
        if why or not values:
            return False
        self._told(branch, path, text)
        behind = evolve(branch.behind(mark), sender=branch.sender)
        own = own_address(account, self._rooms.default_domain)
        for value in values:
            if isinstance(value, Command | File):
                self._program(behind, value, True, account.name)
            elif isinstance(value, Mailbox):
                domain = value.address.domain or own.domain
                address = Address(value.address.local_part, domain)
                if same(address, own) or same(address, branch.address):
                    self._mailbox(behind, account, detail)
                else:
                    further = evolve(behind, address=address, exact=value.exact)
                    try:
                        await self.go(further)
                    except AliasLoop:  # a user's doing is no fault of a whole list
                        self._mailbox(behind, account, detail)
        return True

    # -- elsewhere ----------------------------------------------------------------

    async def _relay(self, branch: Branch, place: Place) -> None:
        """A domain taken for another host: only recipients that exist there."""
        if place.recipients and not await self._is_recipient(branch.address, place):
            if not await self._catch_all(branch):
                raise NoSuchUser()
            return
        await self._out(branch)

    async def _is_recipient(self, address: Address, place: Place) -> bool:
        keys = [key for key, _ in address_keys(address, self._separator)]
        for key in (*keys, catch_all_key(address.domain)):
            found = await first_value(place.recipients, key)
            if found is not None:
                return True
        return False

    async def _out(self, branch: Branch) -> None:
        rooms = self._rooms
        if not rooms.may_queue:
            raise NoRoute()
        branch = evolve(branch, sender=await self._rewritten(branch))
        final = self._sender
        if branch.sender is not None:
            final = Address.parse(branch.sender) if branch.sender else None
        way = await rooms.ways.out(branch.address, self._sender, final)
        self._told(branch, *way_text(way))
        self._leaf(branch, way[1])

    async def _rewritten(self, branch: Branch) -> str | None:
        """The sender to tell: that of a list, or a foreign one rewritten."""
        senders, sender = self._rooms.senders, self._sender
        if branch.sender is not None or not branch.chain:
            return branch.sender
        if senders is None or sender is None or "srs" in branch.chain:
            return None
        place = await self._rooms.places.of(sender.domain) if sender.domain else None
        if place is None or place.kind in (LOCAL, ALIASES):
            return None
        rewritten = await senders.forward(sender)
        if rewritten is None:
            self._told(branch, "sender", f"{sender} is too long to be rewritten now")
            return None
        self._told(branch, "sender rewritten", str(rewritten))
        return str(rewritten)


def way_text(way: tuple[str, Route]) -> tuple[str, str]:
    said, route = way
    return said, f"{route.transport}:{route.next_hop}"


def own_address(account: Account, default_domain: str) -> Address:
    """The main address of an account, with a domain."""
    return _whole(account.name, default_domain)


@lru_cache(4096)
def _whole(name: str, default_domain: str) -> Address:
    address = Address.parse(name)
    return address if address.domain else Address(address.local_part, default_domain)
