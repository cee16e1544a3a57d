"""From `[[table]]` to ITables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from ..config.model import Config
from ..config.routing import Table
from ..directory.reread import Open, open_here
from ..errors import ConfigError
from ..interfaces import ITable
from .asked import AskedTable
from .file import FileTable, Held, read
from .inline import InlineTable
from .ldap import LdapSource
from .lines import HeldPairs, aliases, pairs
from .mysql import MysqlSource
from .pool import TablePool
from .regexp import HeldRules
from .settings import LdapSettings, MysqlSettings
from .settled import Settled
from .sqlite import SqliteSource

FILE_THREADS, SQLITE_THREADS = 2, 1
Server = TypeVar("Server", MysqlSettings, LdapSettings)
Source = TypeVar("Source", MysqlSource, LdapSource)

HELD: dict[str, Callable[[], Held]] = {
    "file": partial(HeldPairs, pairs),
    "aliases": partial(HeldPairs, aliases),
    "regexp": HeldRules,
}

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


def text_files(config: Config) -> Iterator[tuple[str, Callable[[], Held]]]:
    """(path, what reads it) of every alias file and table that is a text file."""
    for path in config.alias.files:
        yield path, HELD["aliases"]
    for table in config.table:
        if table.kind in HELD:
            yield table.source, HELD[table.kind]


def mistakes(path: str, make: Callable[[], Held]) -> Iterator[tuple[bool, str]]:
    """(is something missing for it, what and where) for each line that cannot be used.

    Reads the file here and now, for commands."""
    try:
        _, octets = read(path)
    except OSError as fault:
        yield True, f"{path}: cannot be read: {fault.strerror or fault}"
        return
    held = make()
    for _ in held.read(octets.decode(errors="replace")):
        continue
    for one in held.mistakes:
        yield not one.harmless, f"{path}:{one.line}: expected {one.expected}"


class Tables:
    """Every table of the configuration, by name; `close` when the server stops.

    Settings files are read at once, and again with `open_` when they change, tables and
    servers when first asked.  Raises ConfigError for settings that cannot be used."""

    def __init__(self, reactor: Any, config: Config, open_: Open = open_here) -> None:
        self._reactor, self._open = reactor, open_
        self._files = TablePool(reactor, "files", FILE_THREADS)
        self._pools = [self._files]
        self.by_name: dict[str, ITable] = {}
        for table in config.table:
            try:
                self.by_name[table.name] = self._made(table)
            except ValueError as fault:
                raise ConfigError(f"table {table.name}: {fault}") from fault
        self.alias_files = [
            self._file(path, path, "aliases") for path in config.alias.files
        ]

    def _file(self, name: str, path: str, kind: str) -> FileTable:
        return FileTable(
            self._reactor,
            self._files,
            name,
            path,
            HELD[kind],
            whole_keys=kind == "regexp",
        )

    def in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run what waits for a file."""
        return self._files.run(work, *arguments)

    def _made(self, table: Table) -> ITable:
        match table.kind:
            case "inline":
                return InlineTable(table.name, table.entries)
            case "file" | "aliases" | "regexp":
                return self._file(table.name, table.source, table.kind)
            case "sqlite":
                sqlite = SqliteSource(table.source, table.query)
                return self._asked(table, lambda: sqlite.ask, SQLITE_THREADS)
            case "mysql":
                return self._settled(table, MysqlSettings, MysqlSource)
            case _:
                return self._settled(table, LdapSettings, LdapSource)

    def _settled(
        self, table: Table, kind: type[Server], source: Callable[..., Source]
    ) -> ITable:
        def make(settings: Server, cas: str | None) -> Source:
            return source(settings, cas, needed_query(table, settings.query))

        settled = Settled(kind, table.source, make, self._open)
        return self._asked(table, lambda: settled().ask, settled.settings.threads)

    def _asked(
        self,
        table: Table,
        asking: Callable[[], Callable[[str], str | None]],
        threads: int,
    ) -> AskedTable:
        pool = TablePool(self._reactor, f"table-{table.name}", threads)
        self._pools.append(pool)
        return AskedTable(self._reactor, table, pool, asking)

    async def close(self) -> None:
        """What runs is waited for; further questions are LookupFailed."""
        for pool in self._pools:
            await pool.close()


def needed_query(table: Table, in_settings: str) -> str:
    query = table.query or in_settings
    if not query:
        raise ValueError(f"query is missing, here and in {table.source}")
    return query
