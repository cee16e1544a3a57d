"""Accounts of several sources as one directory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from attrs import evolve, frozen
from zope.interface import implementer

from ..address import Address
from ..auth.chain_source import Health
from ..auth.names import account_key, address_of, login_key
from ..config.source import Source
from ..errors import AuthUnavailable, MailError
from ..interfaces import IDirectory
from .model import Account

MOST_KNOWN = 20_000

Ask = Callable[[], Awaitable[Account | None]]


@implementer(IDirectory)
class SourceDirectory:
    """The accounts of one source: of its domains only, asked while it is up, and
    remembered for a short time."""

    def __init__(
        self,
        source: Source,
        directory: IDirectory,
        health: Health,
        now: Callable[[], float],
        *,
        domains: Sequence[str],
        default_domain: str = "",
        remembers: bool = False,
        limited: Callable[[Account], Account] = lambda account: account,
    ) -> None:
        """`limited` gives an account the limits that its source says nothing of."""
        self._limited = limited
        self.source, self._directory, self._health = source, directory, health
        self._now, self._default = now, default_domain
        self._domains = frozenset(source.domains or domains)
        self._remembers = remembers  # the directory does so itself
        self._known: OrderedDict[str, tuple[float, Account | None]] = OrderedDict()
        # What an account became that the directory gives again and again, by name.
        self._given: dict[str, tuple[Account, Account]] = {}

    async def has_domain(self, domain: str) -> bool:
        return domain in self._domains

    async def account(self, name: str) -> Account | None:
        key = login_key(name, self._default)
        address = address_of(key)
        if address is not None and address.domain not in {"", *self._domains}:
            return None
        return await self._answer(f"login {key}", lambda: self._directory.account(key))

    async def account_for(self, address: Address) -> Account | None:
        if address.domain not in self._domains:
            return None
        key = f"mail {account_key(address)}"
        return await self._answer(key, lambda: self._directory.account_for(address))

    async def first_account(self) -> Account | None:
        return await self._answer("first", self._directory.first_account)

    async def _answer(self, key: str, ask: Ask) -> Account | None:
        if self._remembers:
            return self._ours(await ask())
        known = self._known.get(key)
        if known is not None and self._now() < known[0]:
            return known[1]
        account = self._ours(await self._health.ask(ask))
        source = self.source
        kept_s = source.unknown_cache_s if account is None else source.cache_s
        if kept_s:
            self._known[key] = self._now() + kept_s, account
            self._known.move_to_end(key)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return account

    def _ours(self, account: Account | None) -> Account | None:
        """None for an account that this source has no say about."""
        if account is None or account.name.rpartition("@")[2] not in self._domains:
            return None
        known = self._given.get(account.name)
        if known is None or known[0] is not account:
            ours = self._limited(evolve(account, source=self.source.called))
            if len(self._given) >= MOST_KNOWN:
                self._given.clear()
            known = self._given[account.name] = account, ours
        return known[1]


@frozen
class Named:
    """A directory and the name of its source."""

    name: str
    directory: IDirectory


@implementer(IDirectory)
class UnionDirectory:
    """The first source that has an account counts.

    While a source is down, what a later one says of an address counts only if it was
    known there before: the mail waits rather than goes into a wrong mailbox.
    """

    def __init__(self, sources: Sequence[Named]) -> None:
        self._sources = tuple(sources)
        self._where: OrderedDict[str, str] = OrderedDict()

    async def has_domain(self, domain: str) -> bool:
        for one in self._sources:
            if await one.directory.has_domain(domain):
                return True
        return False

    async def account(self, name: str) -> Account | None:
        return await self._first(
            f"login {name}", lambda directory: directory.account(name)
        )

    async def account_for(self, address: Address) -> Account | None:
        return await self._first(
            f"mail {address}", lambda directory: directory.account_for(address)
        )

    async def first_account(self) -> Account | None:
        return await self._first("first", lambda directory: directory.first_account())

    async def _first(
        self, key: str, ask: Callable[[IDirectory], Awaitable[Account | None]]
    ) -> Account | None:
        down: MailError | None = None
        for one in self._sources:
            try:
                account = await ask(one.directory)
            except MailError as fault:
                down = fault
                continue
            if account is None:
                continue
            if down is not None and self._where.get(key) != one.name:
                break
            if len(self._sources) > 1:
                self._put(key, one.name)
            return account
        if down is not None:
            raise AuthUnavailable() from down
        return None

    def _put(self, key: str, name: str) -> None:
        self._where[key] = name
        self._where.move_to_end(key)
        if len(self._where) > MOST_KNOWN:
            self._where.popitem(last=False)
