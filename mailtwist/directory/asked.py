"""Accounts of a source that is asked for one name at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..address import Address
from ..auth.names import address_of
from ..config.model import Config
from ..config.source import Source
from ..errors import LookupFailed, SourceDown, SystemBusy
from ..interfaces import IDirectory
from ..tables import asked
from ..tables.pool import TablePool
from ..tables.query import Key
from .fields import Entry, Fields
from .model import Account


@implementer(IDirectory)
class AskedDirectory(ABC):
    """See IDirectory; raises SourceDown if the source does not answer.

    Without any domain, in the source or the configuration, it has accounts of all, by
    the names that the source itself tells whole: who asks may choose no domain."""

    def __init__(self, config: Config, source: Source) -> None:
        self._local = source.names == "local"
        self._domain = (source.domains or ("",))[0]
        self._domains = frozenset(source.domains or [d.name for d in config.domain])
        self._fields = Fields(config, source)

    @abstractmethod
    async def texts(self, key: Key, *, by_address: bool) -> Mapping[str, str] | None:
        """What the source has of a login name or a recipient's address, by the names of
        docs/accounts.md; None for nobody.  Raises SourceDown, SystemBusy."""

    @abstractmethod
    async def close(self) -> None:
        """Waits for what runs, and ends the threads."""

    async def has_domain(self, domain: str) -> bool:
        return domain in self._domains

    async def first_account(self) -> Account | None:
        """Nobody: a question for one name cannot list."""
        return None

    async def account(self, name: str) -> Account | None:
        entry = await self.entry(name)
        return None if entry is None else entry.account

    async def entry(self, name: str) -> Entry | None:
        """The account with this login name, and its hash."""
        address = self.login_address(name)
        if address is None:
            return None
        texts = await self.texts(self.key_of(address), by_address=False)
        return self.made(address, texts)

    async def account_for(self, address: Address) -> Account | None:
        spelled = self._ours(address_of(str(address)))
        if spelled is None:
            return None
        texts = await self.texts(self.key_of(spelled), by_address=True)
        entry = self.made(spelled, texts)
        return None if entry is None else entry.account

    def login_address(self, name: str) -> Address | None:
        """The address of a login name that may be here."""
        return self._ours(address_of(name, self._domain))

    def _ours(self, address: Address | None) -> Address | None:
        if address is None or not address.domain:
            return None
        known = not self._domains or address.domain in self._domains
        return address if known else None

    def key_of(self, address: Address) -> Key:
        """What the source is asked for."""
        return Key(address.local_part if self._local else str(address))

    def made(self, asked_: Address, texts: Mapping[str, str] | None) -> Entry | None:
        """Raises AuthUnavailable for texts that cannot be meant."""
        if texts is None or (not self._domains and "@" not in texts.get("name", "")):
            return None
        return self._fields.entry(asked_, texts)


class Threads:
    """A pool whose faults are those of sources."""

    def __init__(self, reactor: Any, source: Source) -> None:
        self._pool = TablePool(reactor, f"source-{source.called}", source.threads)

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """What `work` gives.  Raises SourceDown for `tables.asked.SourceDown`,
        SystemBusy if too many wait."""
        try:
            running: Deferred[Any] = self._pool.run(work, *arguments)
            return await running
        except asked.SourceDown as fault:
            raise SourceDown(str(fault)) from fault
        except LookupFailed as fault:
            raise SystemBusy() from fault

    async def close(self) -> None:
        await self._pool.close()
