"""Users of the machine as accounts: home, uid and gid as the system has them.

A user is there in every domain of the source, with one mailbox: the account is called
by the first of them, and may send from all.  The groups of the system are those that
lists of rights may name.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..address import Address
from ..auth.names import address_of
from ..config.model import Config
from ..config.source import Source
from ..errors import LookupFailed, SourceDown, SystemBusy
from ..interfaces import IDirectory
from ..tables.pool import TablePool
from .fields import Fields
from .model import Account
from .system_groups import groups_of
from .system_users import User, system_user


@implementer(IDirectory)
class SystemDirectory:
    """See IDirectory; raises SourceDown if NSS gives no answer.

    Whether an account is expired is PAM's to say, at a login: mail for it is taken."""

    def __init__(self, reactor: Any, config: Config, source: Source) -> None:
        self._domains = source.domains or tuple(d.name for d in config.domain)
        self._least_uid = source.least_uid
        self._fields = Fields(config, source)
        self._pool = TablePool(reactor, f"source-{source.called}", source.threads)

    async def has_domain(self, domain: str) -> bool:
        return domain in self._domains

    async def first_account(self) -> Account | None:
        """Nobody: who of the users is the postmaster, /etc/aliases says."""
        return None

    async def account(self, name: str) -> Account | None:
        return await self._found(address_of(name, self._first_domain))

    async def account_for(self, address: Address) -> Account | None:
        return await self._found(address_of(str(address)))

    @property
    def _first_domain(self) -> str:
        return self._domains[0] if self._domains else ""

    async def _found(self, address: Address | None) -> Account | None:
        if address is None or address.domain not in self._domains:
            return None
        try:
            asked: Deferred[tuple[User, frozenset[str]] | None] = self._pool.run(
                self._known, address.local_part
            )
            known = await asked
        except OSError as fault:
            raise SourceDown() from fault
        except LookupFailed as fault:
            raise SystemBusy() from fault
        return None if known is None else self._account(address, *known)

    def _known(self, name: str) -> tuple[User, frozenset[str]] | None:
        """In a thread."""
        user = system_user(name)
        if user is None or user.uid < self._least_uid:
            return None
        return user, groups_of(user.name, user.gid)

    def _account(
        self, address: Address, user: User, groups: frozenset[str]
    ) -> Account | None:
        called = Address(address.local_part, self._first_domain)
        names = [f"{address.local_part}@{domain}" for domain in self._domains[1:]]
        texts = {
            "name": str(called),
            "same": "no",
            "home": user.home,
            "uid": str(user.uid),
            "gid": str(user.gid),
            "send_as": " ".join(names),
        }
        entry = self._fields.entry(address, texts)
        return None if entry is None else evolve(entry.account, groups=groups)

    async def close(self) -> None:
        await self._pool.close()
