"""What the rooms of mailing lists ask of each other."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from zope.interface import Interface

from ..address import Address
from .addressing import Meant
from .model import MailingList, Member, Pending
from .plan import Plan


@frozen
class Standing:
    """Somebody's place on a list: member or not, roles, and what of it waits."""

    member: Member | None = None
    roles: frozenset[str] = frozenset()
    pending: tuple[Pending, ...] = ()


NOBODY = Standing()


class IListBook(Interface):
    """The lists, as their database has them; each method is one transaction.

    Addresses are compared as `model.key_of` makes them.  Raises MailError if the
    database cannot be asked."""

    async def find(
        meanings: Sequence[Meant], domain: str
    ) -> tuple[MailingList, Meant] | None:
        """The first of these that is a function of a list in `domain`."""

    async def numbered(number: int) -> MailingList | None:
        """The list of this number."""

    async def lists(domain: str = "") -> list[MailingList]:
        """All lists, or those of a domain, by address."""

    async def standing(number: int, address: Address) -> Standing:
        """The place of an address on the list of this number."""

    async def member(number: int, member: int) -> Member | None:
        """The member of this number of a list."""

    async def memberships(address: Address) -> list[tuple[MailingList, Member]]:
        """The lists that an address is on."""

    async def members(number: int) -> list[Member]:
        """All members of a list, by address."""

    async def people(number: int, role: str) -> list[Address]:
        """Who has a role on a list."""

    async def pending(token: str) -> tuple[MailingList, Pending] | None:
        """What waits for an answer with this token, and is not over."""

    async def held(number: int) -> int:
        """How many posts to a list wait for a moderator."""

    async def seen(number: int, message_id: str) -> bool:
        """True if a post with this Message-ID came to the list."""

    async def done(work: str) -> bool:
        """True if `apply` did this work."""

    async def apply(mailing_list: MailingList, plan: Plan, work: str = "") -> bool:
        """Make a plan true, its mails in the outbox: all or nothing.

        False, and nothing happens, if this work was done before, or if the plan has an
        answer or a post that came before (`plan.Unpend`, `plan.Seen`); the work counts
        as done then."""


class IPolicies(Interface):
    """What domains ask of others' mail in their name (DMARC)."""

    async def guarded(domain: str) -> bool:
        """True if mail from this domain that it did not sign is refused or put aside.
        Raises DnsUnavailable."""
