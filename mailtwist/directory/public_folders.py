"""Addresses of public folders: what is sent there goes into the folder."""

from __future__ import annotations

from collections.abc import Mapping

from zope.interface import implementer

from ..address import Address
from ..auth.names import account_key
from ..interfaces import IDirectory
from .model import Account


@implementer(IDirectory)
class PublicFolders:
    """See IDirectory; `by_address` has the account of each by `account_key`.  Nobody
    logs in to one."""

    def __init__(self, by_address: Mapping[str, Account]) -> None:
        self._by_address = by_address

    async def has_domain(self, domain: str) -> bool:
        return False

    async def account(self, name: str) -> Account | None:
        return None

    async def account_for(self, address: Address) -> Account | None:
        return self._by_address.get(account_key(address))

    async def first_account(self) -> Account | None:
        return None
