"""Accounts in MySQL or MariaDB, by queries of the administrator's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config.load import load_section
from ..config.model import Config
from ..config.source import Source
from ..tables.mysql_connections import MysqlConnections
from ..tables.query import Key, Statement, statement
from ..tables.settings import MysqlAccounts
from ..tables.sqlite import text
from .asked import AskedDirectory, Threads


class MysqlDirectory(AskedDirectory):
    """Raises SourceDown if the database does not answer."""

    def __init__(self, reactor: Any, config: Config, source: Source) -> None:
        """Raises ConfigError, ValueError for settings that cannot be used."""
        super().__init__(config, source)
        self.settings = load_section(MysqlAccounts, source.settings)
        self._connections = MysqlConnections(self.settings, "sources")
        self._by_login = query(self.settings.account)
        self._by_address = query(self.settings.address or self.settings.account)
        self._own_address = bool(self.settings.address)
        self._threads = Threads(reactor, source)

    async def texts(self, key: Key, *, by_address: bool) -> Mapping[str, str] | None:
        asking = self._by_address if by_address else self._by_login
        parameters = asking.parameters(key)
        if parameters is None:
            return None
        names, rows = await self._threads.run(
            self._connections.rows, asking.sql, parameters
        )
        if len(rows) != 1:
            return None
        texts = {
            column.lower(): text(value)
            for column, value in zip(names, rows[0], strict=True)
            if value is not None
        }
        if by_address and self._own_address:
            texts["same"] = "no"
        return texts

    async def close(self) -> None:
        await self._threads.close()


def query(sql: str) -> Statement:
    return statement(sql, placeholder="%s", percent="%%")
