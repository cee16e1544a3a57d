"""Who may send from an address that is not their own: one question to every place
where that is written.

`mailtwist share add --send-as`, the account whose address it is, its domain, tables
such as Postfix's smtpd_sender_login_maps, and aliases each name identifiers, as lists
of rights do: logins, `$GROUP`, or `anyone` who logs in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import frozen
from zope.interface import implementer

from ..address import Address
from ..delivery.keys import address_keys, catch_all_key
from ..directory.model import Account
from ..interfaces import IRouter, ISendAs, ITable
from ..mailbox.rights import ANYONE
from ..mailbox.sharing import prepared


@frozen
class SendAs:
    """Asks `places` in their order; `key` is what names of accounts are compared by."""

    places: Sequence[ISendAs]
    key: Callable[[str], str]

    async def lets(
        self, identifiers: Collection[str], address: Address, owner: Account | None
    ) -> bool:
        """True if one of the identifiers of a login may send from an address, whose
        account is `owner`, None for one without.  Raises MailError."""
        for place in self.places:
            for said in await place.senders(address, owner):
                if said == ANYONE or prepared(said, self.key) in identifiers:
                    return True
        return False


@implementer(ISendAs)
class OfOwner:
    """The account itself says it, as its source has it."""

    async def senders(self, address: Address, owner: Account | None) -> Collection[str]:
        return () if owner is None else owner.senders


@implementer(ISendAs)
@frozen
class OfDomain:
    """`[[domain]] senders`, by name of domain."""

    by_domain: Mapping[str, Collection[str]]

    async def senders(self, address: Address, owner: Account | None) -> Collection[str]:
        return self.by_domain.get(address.domain, ())


@implementer(ISendAs)
@frozen
class OfTable:
    """Logins with commas or spaces between them, by address or @domain; what is said of
    the address alone counts, if there is anything."""

    table: ITable
    separator: str

    async def senders(self, address: Address, owner: Account | None) -> Collection[str]:
        if not address.domain:
            return ()
        keys = [key for key, _ in address_keys(address, self.separator)]
        if not self.table.whole_keys:
            keys.append(catch_all_key(address.domain))
        for key in keys:
            found = await self.table.find(key)
            if found is not None:
                return found.replace(",", " ").split()
        return ()


@implementer(ISendAs)
@frozen
class OfAlias:
    """An alias is its account's, if mail for it goes there and nowhere else."""

    router: IRouter

    async def senders(self, address: Address, owner: Account | None) -> Collection[str]:
        if owner is not None or not address.domain:
            return ()
        account = await self.router.owner(address)
        return () if account is None else (account.name,)
