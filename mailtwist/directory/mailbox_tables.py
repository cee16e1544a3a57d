"""Mailboxes that tables name: Postfix's virtual_mailbox_maps below a base folder."""

from __future__ import annotations

import os
from collections.abc import Sequence

from attrs import evolve
from twisted.logger import Logger
from zope.interface import implementer

from ..address import Address, ascii_domain
from ..delivery.keys import spelled
from ..delivery.router_places import any_has, first_value
from ..errors import BadAddress, LookupFailed
from ..interfaces import IDirectory, ITable
from .home import MOST_NAME
from .model import INBOX_IS, MBOX, Account
from .table_owners import BadOwner, Owners

log = Logger("mailtwist")

SERVERS_OWN = Owners()


@implementer(IDirectory)
class MailboxTables:
    """See IDirectory.  `tables` have the path of a Maildir or mbox for an address,
    `domains` any value for a domain that is ours; `owners` tells whose they are."""

    def __init__(
        self,
        folder: str,
        tables: Sequence[ITable],
        domains: Sequence[ITable],
        owners: Owners = SERVERS_OWN,
    ) -> None:
        self._folder, self._tables, self._domains = folder, tables, domains
        self._owners = owners

    async def has_domain(self, domain: str) -> bool:
        return await any_has(self._domains, ascii_domain(domain))

    async def account(self, name: str) -> Account | None:
        try:
            return await self.account_for(Address.parse(name))
        except BadAddress:
            return None

    async def account_for(self, address: Address) -> Account | None:
        if not address.domain:
            return None
        key = spelled(address.local_part, address.domain)
        found = await first_value(self._tables, key)
        if found is None:
            return None
        try:
            uid, gid = await self._owners.of(address)
        except BadOwner as fault:
            log.error("{address}: {why}", address=str(address), why=str(fault))
            raise LookupFailed() from fault
        account = self._account(address, *found)
        if uid is None:
            return account
        # Mail waits while the base is not there; below it the owner makes what is not.
        return evolve(account, home=self._folder, uid=uid, gid=gid)

    async def first_account(self) -> Account | None:
        """Nobody: a table cannot be listed."""
        return None

    def _account(self, address: Address, table: ITable, value: str) -> Account:
        try:
            path = os.path.join(self._folder, *parts_of(value))
        except ValueError as fault:
            log.error(
                "table {table}: {address} has {value!r}: expected {what}",
                table=table.name,
                address=str(address),
                value=value,
                what=str(fault),
            )
            raise LookupFailed() from fault
        name = str(Address(address.local_part.lower(), address.domain))
        if value.endswith("/"):
            return Account(name, path, mailbox=f"{path}/")
        # Several may lie in one folder: state and further mailboxes have their own.
        folder, file = os.path.split(path)
        home = os.path.join(folder, f".{file}.mailtwist")
        return Account(name, home, mailbox=f"{MBOX}{home}/mail{INBOX_IS}{path}")


def parts_of(value: str) -> list[str]:
    """The names of a path below the base: of a Maildir with "/" at its end, else of an
    mbox file.  Raises ValueError for any other path."""
    parts = [part for part in value.split("/") if part]
    if not parts:
        raise ValueError("a folder or a file below the base")
    if not value.endswith("/") and parts[-1].startswith("."):
        raise ValueError('an mbox file without "." in front, as .forward has')
    for part in parts:
        if part in (".", "..") or "\0" in part:
            raise ValueError('a path without "." and ".."')
        if len(part.encode(errors="surrogateescape")) > MOST_NAME:
            raise ValueError(f"names of at most {MOST_NAME} octets")
    return parts


@implementer(IDirectory)
class Directories:
    """Several sources, asked in order; the first that knows an account counts."""

    def __init__(self, sources: Sequence[IDirectory]) -> None:
        self._sources = sources

    async def has_domain(self, domain: str) -> bool:
        for source in self._sources:
            if await source.has_domain(domain):
                return True
        return False

    async def account(self, name: str) -> Account | None:
        for source in self._sources:
            account = await source.account(name)
            if account is not None:
                return account
        return None

    async def account_for(self, address: Address) -> Account | None:
        for source in self._sources:
            account = await source.account_for(address)
            if account is not None:
                return account
        return None

    async def first_account(self) -> Account | None:
        for source in self._sources:
            account = await source.first_account()
            if account is not None:
                return account
        return None
