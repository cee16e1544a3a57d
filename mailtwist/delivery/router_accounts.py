"""Whose mailbox an address of a local domain is."""

from __future__ import annotations

from collections.abc import Iterator

from ..address import Address
from ..auth.names import login_key
from ..config.model import Config
from ..directory.model import Account
from ..interfaces import IDirectory
from ..mailbox.sharing import Reader

POSTMASTER = "postmaster"  # RFC 5321 §4.5.1: without case, always deliverable
MOST_SPLITS = 8  # places where a local part is tried as user and detail


class Accounts:
    """Accounts of the directory by address, with subaddresses and postmaster."""

    def __init__(self, directory: IDirectory, config: Config) -> None:
        self._directory = directory
        self._postmaster = config.server.postmaster
        self._separator = config.delivery.subaddress_separator

    async def find(self, address: Address) -> tuple[Account | None, str]:
        """(account, detail): the whole address first, then the longest user."""
        account = await self._directory.account_for(address)
        if account is not None:
            return account, ""
        detail = ""
        for user, detail in self._splits(address.local_part):
            account = await self._directory.account_for(Address(user, address.domain))
            if account is not None:
                return account, detail
        return None, detail

    def _splits(self, local_part: str) -> Iterator[tuple[str, str]]:
        """(user, detail) at each separator, from the right: a user may have one too."""
        separator = self._separator
        end = len(local_part)
        for _ in range(MOST_SPLITS if separator else 0):
            end = local_part.rfind(separator, 0, end)
            if end <= 0:
                return
            yield local_part[:end], local_part[end + len(separator) :]

    async def identifiers(self, login: str) -> frozenset[str]:
        """What lists of rights know an account by, as IMailAccount has it; nothing of
        one that is not there any more."""
        account = await self._directory.account(login)
        if account is None or not account.enabled:
            return frozenset()
        return Reader.of(login_key(account.name), account.groups).identifiers

    def is_postmaster(self, address: Address) -> bool:
        user = address.local_part.lower()
        if self._separator:
            user = user.partition(self._separator)[0]
        return user == POSTMASTER

    async def postmaster(self) -> Account | None:
        """The configured account, else the first that is there."""
        account = None
        if self._postmaster:
            account = await self._directory.account(self._postmaster)
        if account is None or not account.receives:
            account = await self._directory.first_account()
        return account
