"""Where a recipient's mail goes, decided at RCPT."""

from __future__ import annotations

from collections.abc import Iterator

from zope.interface import implementer

from ..address import Address
from ..config.model import Config
from ..directory.model import Account
from ..errors import MailboxDisabled, NoRoute, NoSuchUser, OverQuota, RelayDenied
from ..interfaces import IDelivery, IDirectory, IRouter, IStore
from .model import LocalRecipient, Recipient, RemoteRecipient

POSTMASTER = "postmaster"  # RFC 5321 §4.5.1: without case, always deliverable
MOST_SPLITS = 8  # places where a local part is tried as user and detail


@implementer(IRouter)
class Router:
    """Local domains from the directory; everything else needs a queue.

    It keeps nothing in memory: an account that was just added or removed counts as soon
    as the directory knows.  A directory's fault goes through as it is.
    """

    def __init__(
        self,
        directory: IDirectory,
        store: IStore,
        config: Config,
        queue: IDelivery | None = None,
    ) -> None:
        """`queue` takes what goes elsewhere; without one there is no way out."""
        self._directory, self._store, self._queue = directory, store, queue
        self._separator = config.delivery.subaddress_separator
        self._postmaster = config.server.postmaster
        # What an address literal of this host, or no domain, stands for.
        self._default = next(
            (d.name for d in config.domain if not d.name.startswith("[")), ""
        )

    async def resolve(
        self,
        address: Address,
        *,
        may_relay: bool,
        size_octets: int | None = None,
        sender: Address | None = None,
    ) -> Recipient:
        """See IRouter.

        A sender that may relay may also leave the domain out, as people type it."""
        if not address.domain:
            if not may_relay and address.local_part.lower() != POSTMASTER:
                raise NoSuchUser("A recipient needs a domain")
            address = Address(address.local_part, self._default)
        elif not await self._directory.has_domain(address.domain):
            return self._elsewhere(address, may_relay=may_relay)
        account, detail = await self._account(address)
        if account is None and address.domain.startswith("["):
            account, detail = await self._account(
                Address(address.local_part, self._default)
            )
        user = address.local_part.lower()
        if self._separator and user.startswith(POSTMASTER + self._separator):
            user = POSTMASTER
        if user == POSTMASTER and (account is None or not account.enabled):
            account = await self._postmaster_account()
        if account is None:
            raise NoSuchUser()
        if not account.enabled:
            raise MailboxDisabled()
        if account.storage_limit_octets is not None:
            await self._check_room(account, account.storage_limit_octets, size_octets)
        return LocalRecipient(address, account, detail)

    def _elsewhere(self, address: Address, *, may_relay: bool) -> Recipient:
        if not may_relay:
            raise RelayDenied()
        if self._queue is None:
            raise NoRoute()
        return RemoteRecipient(address)

    async def _account(self, address: Address) -> tuple[Account | None, str]:
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

    async def _postmaster_account(self) -> Account | None:
        """The configured account, else the first that is there."""
        account = None
        if self._postmaster:
            account = await self._directory.account(self._postmaster)
        if account is None or not account.enabled:
            account = await self._directory.first_account()
        return account

    async def _check_room(
        self, account: Account, limit: int, size_octets: int | None
    ) -> None:
        usage = await self._store.mailboxes(account).usage()
        if usage.octets + max(size_octets or 0, 1) > limit:
            raise OverQuota()
