"""Connections to MySQL or MariaDB for tables and accounts, by PyMySQL in threads."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigError
from .asked import MOST_VALUES, SourceDown
from .settings import MysqlServer


class MysqlConnections:
    """One for each thread that asks."""

    def __init__(self, settings: MysqlServer, cas: str | None, needed_by: str) -> None:
        """`cas` are PEM texts.  Raises ConfigError without PyMySQL."""
        try:
            import pymysql
        except ImportError as fault:
            raise ConfigError(f"{needed_by} of kind mysql need PyMySQL") from fault
        self._pymysql, self._settings = pymysql, settings
        self._cas = cas
        self._threads = threading.local()

    def rows(
        self, sql: str, parameters: Sequence[str]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """(names of columns, rows).  Raises SourceDown.

        A connection that the server closed while it was idle is made anew once."""
        errors = self._pymysql.err
        kept = getattr(self._threads, "connection", None)
        try:
            if kept is not None:
                try:
                    return self._asked(kept, sql, parameters)
                except (errors.OperationalError, errors.InterfaceError, OSError):
                    self._drop()
            return self._asked(self._connected(), sql, parameters)
        except (errors.MySQLError, OSError) as fault:
            self._drop()
            raise SourceDown(told(fault)) from fault

    def _asked(
        self, connection: Any, sql: str, parameters: Sequence[str]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            rows = list(cursor.fetchmany(MOST_VALUES + 1))
            names = [column[0] for column in cursor.description or ()]
        if len(rows) > MOST_VALUES:
            raise SourceDown(f"one key has more than {MOST_VALUES} values")
        return names, rows

    def _connected(self) -> Any:
        """A connection to the first server that answers."""
        hosts = [host.strip() for host in self._settings.host.split(",")]
        fault: Exception = SourceDown("no server is named")
        for host in hosts:
            try:
                self._threads.connection = self._connect(host)
                return self._threads.connection
            except (self._pymysql.err.MySQLError, OSError) as why:
                fault = why
        raise fault

    def _connect(self, host: str) -> Any:
        settings = self._settings
        tls = ssl.create_default_context(cadata=self._cas) if self._cas else None
        return self._pymysql.connect(
            host=host,
            port=settings.port,
            unix_socket=settings.socket or None,
            user=settings.user,
            password=settings.password,
            database=settings.database,
            charset="utf8mb4",
            connect_timeout=max(1, round(settings.timeout_s)),
            read_timeout=settings.timeout_s,
            write_timeout=settings.timeout_s,
            autocommit=True,  # each question sees what is there now
            ssl=tls,
            local_infile=False,
        )

    def _drop(self) -> None:
        connection = getattr(self._threads, "connection", None)
        self._threads.connection = None
        if connection is not None and connection.open:
            connection._force_close()


def told(fault: Exception) -> str:
    """Why, without a secret: PyMySQL's words tell none."""
    return str(fault.args[-1]) if fault.args else type(fault).__name__
