"""Where a recipient's mail goes, decided at RCPT."""

from __future__ import annotations

from zope.interface import implementer

from ..address import Address
from ..config.model import Config
from ..delivery.model import LocalRecipient, Recipient
from ..directory.model import Account
from ..errors import NoRoute, NoSuchUser, OverQuota, RelayDenied
from ..interfaces import IDirectory, IRouter, IStore

POSTMASTER = "postmaster"  # RFC 5321 §4.5.1: without case, always deliverable


@implementer(IRouter)
class Router:
    """Local domains from the directory; everything else needs a queue."""

    def __init__(self, directory: IDirectory, store: IStore, config: Config) -> None:
        self._directory, self._store = directory, store
        self._separator = config.delivery.subaddress_separator
        self._postmaster = config.server.postmaster
        self._default = config.domain[0].name if config.domain else ""

    async def resolve(
        self, address: Address, *, may_relay: bool, size_octets: int | None = None
    ) -> Recipient:
        local = address
        if not address.domain:
            if address.local_part.lower() != POSTMASTER:
                raise NoSuchUser("A recipient needs a domain")
            local = Address(POSTMASTER, self._default)
        if not await self._directory.has_domain(local.domain):
            if not may_relay:
                raise RelayDenied()
            raise NoRoute()
        account, detail = await self._account(local)
        if account is None or not account.enabled:
            raise NoSuchUser()
        await self._check_room(account, size_octets or 0)
        return LocalRecipient(address if address.domain else local, account, detail)

    async def _account(self, address: Address) -> tuple[Account | None, str]:
        """(account, detail): the whole address first, then without its detail."""
        account = await self._directory.account_for(address)
        detail = ""
        if account is None and self._separator:
            user, mark, detail = address.local_part.partition(self._separator)
            if mark and user:
                account = await self._directory.account_for(
                    Address(user, address.domain)
                )
        if account is None and address.local_part.lower() == POSTMASTER:
            if self._postmaster:
                account = await self._directory.account(self._postmaster)
            if account is None:
                account = await self._directory.first_account()
            detail = ""
        return account, detail

    async def _check_room(self, account: Account, size_octets: int) -> None:
        if account.storage_limit_octets is None:
            return
        usage = await self._store.mailboxes(account).usage()
        if usage.octets + max(size_octets, 1) > account.storage_limit_octets:
            raise OverQuota()
