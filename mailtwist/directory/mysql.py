"""Accounts in MySQL or MariaDB, by queries of the administrator's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ..config.model import Config
from ..config.source import Source
from ..tables.mysql_connections import MysqlConnections
from ..tables.query import Key, Statement, statement
from ..tables.settings import MysqlAccounts
from ..tables.settled import Settled
from ..tables.sqlite import text
from .asked import AskedDirectory, Threads
from .reread import Open, open_here


@frozen
class Asking:
    """Connections, and what is asked over them."""

    connections: MysqlConnections
    by_login: Statement
    by_address: Statement
    own_address: bool


def asking_of(settings: MysqlAccounts, cas: str | None) -> Asking:
    """Raises ConfigError, ValueError."""
    return Asking(
        MysqlConnections(settings, cas, "sources"),
        query(settings.account),
        query(settings.address or settings.account),
        bool(settings.address),
    )


class MysqlDirectory(AskedDirectory):
    """Raises SourceDown if the database does not answer.

    `settings` are those of the start: `scheme` is not changed later."""

    def __init__(
        self, reactor: Any, config: Config, source: Source, open_: Open = open_here
    ) -> None:
        """Raises ConfigError, ValueError for settings that cannot be used."""
        super().__init__(config, source)
        self._asking = Settled(MysqlAccounts, source.settings, asking_of, open_)
        self.settings = self._asking.settings
        self._threads = Threads(reactor, source)

    async def texts(self, key: Key, *, by_address: bool) -> Mapping[str, str] | None:
        asking = self._asking()
        statement_ = asking.by_address if by_address else asking.by_login
        parameters = statement_.parameters(key)
        if parameters is None:
            return None
        names, rows = await self._threads.run(
            asking.connections.rows, statement_.sql, parameters
        )
        if len(rows) != 1:
            return None
        texts = {
            column.lower(): text(value)
            for column, value in zip(names, rows[0], strict=True)
            if value is not None
        }
        if by_address and asking.own_address:
            texts["same"] = "no"
        return texts

    async def close(self) -> None:
        await self._threads.close()


def query(sql: str) -> Statement:
    return statement(sql, placeholder="%s", percent="%%")
