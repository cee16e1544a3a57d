"""A table in an SQLite database, opened for reading only."""

from __future__ import annotations

import sqlite3
import threading

from ..directory.stamp import stamp_of
from ..directory.user_directory import path_uri
from .asked import MOST_VALUES, SourceDown
from .query import Key, Statement, statement

BUSY_S = 5.0  # how long a writer may keep us waiting


class SqliteSource:
    """Asks one database; each thread has a connection of its own."""

    def __init__(self, path: str, query: str) -> None:
        """Raises ValueError for a query that cannot be used."""
        self._path = path
        self._statement: Statement = statement(query, placeholder="?")
        self._threads = threading.local()

    def ask(self, key: str) -> str | None:
        """The values of a key, joined by commas.  Raises SourceDown."""
        parameters = self._statement.parameters(Key(key))
        if parameters is None:
            return None
        try:
            cursor = self._connection().execute(self._statement.sql, parameters)
            rows = cursor.fetchmany(MOST_VALUES + 1)
        except sqlite3.Error as fault:
            self._threads.connection = None
            raise SourceDown(f"{self._path}: {fault}") from fault
        return joined(rows)

    def _connection(self) -> sqlite3.Connection:
        """Opened anew when another file is there."""
        inode = stamp_of(self._path)[0]
        connection = getattr(self._threads, "connection", None)
        if connection is None or self._threads.inode != inode:
            if connection is not None:
                connection.close()
            self._threads.connection = None
            connection = sqlite3.connect(
                path_uri(self._path), uri=True, timeout=BUSY_S, isolation_level=None
            )
            self._threads.connection, self._threads.inode = connection, inode
        return connection


def joined(rows: list[tuple[object, ...]]) -> str | None:
    """All columns of all rows, as Postfix joins them; None if nothing is there."""
    if len(rows) > MOST_VALUES:
        raise SourceDown(f"one key has more than {MOST_VALUES} values")
    texts = [text(column) for row in rows for column in row if column is not None]
    return ",".join(one for one in texts if one) or None


def text(column: object) -> str:
    if isinstance(column, bytes):
        return column.decode(errors="replace")
    return str(column)
