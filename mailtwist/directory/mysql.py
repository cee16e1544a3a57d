"""Accounts in MySQL or MariaDB, by queries of the administrator's."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..address import Address
from ..auth.names import address_of
from ..config.load import load_section
from ..config.model import Config
from ..config.source import Source
from ..errors import LookupFailed, SourceDown, SystemBusy
from ..interfaces import IDirectory
from ..tables import asked
from ..tables.mysql_connections import MysqlConnections
from ..tables.pool import TablePool
from ..tables.query import Key, Statement, statement
from ..tables.settings import MysqlAccounts
from ..tables.sqlite import text
from .fields import Entry, Fields
from .model import Account


@implementer(IDirectory)
class MysqlDirectory:
    """See IDirectory; raises SourceDown if the database does not answer."""

    def __init__(self, reactor: Any, config: Config, source: Source) -> None:
        """Raises ConfigError, ValueError for settings that cannot be used."""
        self.settings = load_section(MysqlAccounts, source.settings)
        self._connections = MysqlConnections(self.settings, "sources")
        self._by_login = query(self.settings.account)
        self._by_address = query(self.settings.address or self.settings.account)
        self._own_address = bool(self.settings.address)
        self._local = source.names == "local"
        self._domain = (source.domains or ("",))[0]
        self._domains = frozenset(source.domains or [d.name for d in config.domain])
        self._fields = Fields(config, source)
        self._pool = TablePool(reactor, f"source-{source.called}", source.threads)

    async def has_domain(self, domain: str) -> bool:
        return domain in self._domains

    async def first_account(self) -> Account | None:
        """Nobody: a query for one name cannot list."""
        return None

    async def account(self, name: str) -> Account | None:
        entry = await self.entry(name)
        return None if entry is None else entry.account

    async def entry(self, name: str) -> Entry | None:
        """The account with this login name, and its hash."""
        address = address_of(name, self._domain)
        if address is None or address.domain not in self._domains:
            return None
        return await self._found(self._by_login, address)

    async def account_for(self, address: Address) -> Account | None:
        spelled = address_of(str(address))
        if spelled is None or spelled.domain not in self._domains:
            return None
        entry = await self._found(self._by_address, spelled)
        return None if entry is None else entry.account

    async def _found(self, asking: Statement, address: Address) -> Entry | None:
        name = address.local_part if self._local else str(address)
        parameters = asking.parameters(Key(name))
        if parameters is None:
            return None
        try:
            asked_: Deferred[Any] = self._pool.run(
                self._connections.rows, asking.sql, parameters
            )
            names, rows = await asked_
        except asked.SourceDown as fault:
            raise SourceDown(str(fault)) from fault
        except LookupFailed as fault:
            raise SystemBusy() from fault
        if len(rows) != 1:
            return None
        texts = {
            column.lower(): text(value)
            for column, value in zip(names, rows[0], strict=True)
            if value is not None
        }
        if asking is self._by_address and self._own_address:
            texts["same"] = "no"
        return self._fields.entry(address, texts)

    async def close(self) -> None:
        await self._pool.close()


def query(sql: str) -> Statement:
    return statement(sql, placeholder="%s", percent="%%")
