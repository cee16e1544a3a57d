"""From `[[table]]` to ITables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ..config.load import load_section
from ..config.model import Config
from ..config.routing import Table
from ..errors import ConfigError
from ..interfaces import ITable
from .asked import AskedTable
from .file import FileTable, Held
from .inline import InlineTable
from .ldap import LdapSource
from .lines import HeldPairs, aliases, pairs
from .mysql import MysqlSource
from .pool import TablePool
from .regexp import HeldRules
from .settings import LdapSettings, MysqlSettings
from .sqlite import SqliteSource

FILE_THREADS, SQLITE_THREADS = 2, 1

# What each kind is and needs: printed by `config tables` and in docs/routing.md.
KINDS = {
    "file": "source: a file with lines of `key value`, reread when it changes",
    "aliases": "source: a file in aliases(5) form, reread when it changes",
    "regexp": "source: a file with lines of `/pattern/ value`, reread when it changes",
    "inline": "entries: a list of texts `key value`",
    "sqlite": "source: a database; query: SQL with %s, %u, %d",
    "mysql": "source: a settings file; query: SQL with %s, %u, %d (needs PyMySQL)",
    "ldap": "source: a settings file; query: a filter with %s, %u, %d (needs ldap3)",
}


def kind_lines() -> Iterator[str]:
    """A line for each kind of table: its name, what it needs."""
    width = max(map(len, KINDS))
    for kind, needs in KINDS.items():
        yield f"{kind:{width}}  {needs}"


class Tables:
    """Every table of the configuration, by name; `close` when the server stops.

    Settings files are read at once, tables and servers when first asked.  Raises
    ConfigError for settings that cannot be used."""

    def __init__(self, reactor: Any, config: Config) -> None:
        self._reactor = reactor
        self._files = TablePool(reactor, "files", FILE_THREADS)
        self._pools = [self._files]
        self.by_name: dict[str, ITable] = {}
        for table in config.table:
            try:
                self.by_name[table.name] = self._made(table)
            except ValueError as fault:
                raise ConfigError(f"table {table.name}: {fault}") from fault
        self.alias_files = [
            self.file(path, path, partial(HeldPairs, aliases))
            for path in config.alias.files
        ]

    @property
    def files(self) -> list[FileTable]:
        """Every table that is a text file."""
        named = [one for one in self.by_name.values() if isinstance(one, FileTable)]
        return [*named, *self.alias_files]

    def file(self, name: str, path: str, make: Callable[[], Held]) -> FileTable:
        return FileTable(self._reactor, self._files, name, path, make)

    def in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run what waits for a file."""
        return self._files.run(work, *arguments)

    def _made(self, table: Table) -> ITable:
        match table.kind:
            case "inline":
                return InlineTable(table.name, table.entries)
            case "file":
                return self.file(table.name, table.source, partial(HeldPairs, pairs))
            case "aliases":
                return self.file(table.name, table.source, partial(HeldPairs, aliases))
            case "regexp":
                return FileTable(
                    self._reactor,
                    self._files,
                    table.name,
                    table.source,
                    HeldRules,
                    whole_keys=True,
                )
            case "sqlite":
                sqlite = SqliteSource(table.source, table.query)
                return self._asked(table, sqlite.ask, SQLITE_THREADS)
            case "mysql":
                mysql = load_section(MysqlSettings, table.source)
                query = needed_query(table, mysql.query)
                return self._asked(table, MysqlSource(mysql, query).ask, mysql.threads)
            case _:
                ldap = load_section(LdapSettings, table.source)
                query = needed_query(table, ldap.query)
                return self._asked(table, LdapSource(ldap, query).ask, ldap.threads)

    def _asked(
        self, table: Table, ask: Callable[[str], str | None], threads: int
    ) -> AskedTable:
        pool = TablePool(self._reactor, f"table-{table.name}", threads)
        self._pools.append(pool)
        return AskedTable(self._reactor, table, pool, ask)

    async def close(self) -> None:
        """What runs is waited for; further questions are LookupFailed."""
        for pool in self._pools:
            await pool.close()


def needed_query(table: Table, in_settings: str) -> str:
    query = table.query or in_settings
    if not query:
        raise ValueError(f"query is missing, here and in {table.source}")
    return query
