"""A table in MySQL or MariaDB, by PyMySQL in threads."""

from __future__ import annotations

import ssl
import threading
from typing import Any

from ..errors import ConfigError
from .asked import MOST_VALUES, SourceDown
from .query import Key, Statement, Template, statement, template
from .settings import MysqlSettings
from .sqlite import text


class MysqlSource:
    """Asks one database; each thread keeps a connection."""

    def __init__(self, settings: MysqlSettings, query: str) -> None:
        """Raises ValueError for a query that cannot be used, ConfigError without
        PyMySQL."""
        try:
            import pymysql
        except ImportError as fault:
            raise ConfigError(
                "tables of kind mysql need the package PyMySQL"
            ) from fault
        self._pymysql = pymysql
        self._settings = settings
        self._statement: Statement = statement(query, placeholder="%s", percent="%%")
        self._format: Template = template(settings.format)
        self._threads = threading.local()

    def ask(self, key: str) -> str | None:
        """The values of a key, joined by commas.  Raises SourceDown.

        A connection that the server closed while it was idle is made anew once."""
        parameters = self._statement.parameters(Key(key))
        if parameters is None:
            return None
        kept = getattr(self._threads, "connection", None)
        try:
            if kept is not None:
                try:
                    return self._asked(kept, parameters)
                except (self._pymysql.err.OperationalError, OSError):
                    self._drop()
                except self._pymysql.err.InterfaceError:
                    self._drop()
            return self._asked(self._connected(), parameters)
        except (self._pymysql.err.MySQLError, OSError) as fault:
            self._drop()
            raise SourceDown(told(fault)) from fault

    def _asked(self, connection: Any, parameters: list[str]) -> str | None:
        with connection.cursor() as cursor:
            cursor.execute(self._statement.sql, parameters)
            rows = cursor.fetchmany(MOST_VALUES + 1)
        if len(rows) > MOST_VALUES:
            raise SourceDown(f"one key has more than {MOST_VALUES} values")
        values = [text(one) for row in rows for one in row if one is not None]
        return formatted(values, self._format)

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
        tls = ssl.create_default_context(cafile=settings.ca) if settings.ca else None
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


def formatted(values: list[str], form: Template) -> str | None:
    """Each value in its form, joined by commas; None if there is none."""
    filled = [form.filled(Key(value)) for value in values if value]
    return ",".join(one for one in filled if one) or None


def told(fault: Exception) -> str:
    """Why, without a secret: PyMySQL's words tell none."""
    return str(fault.args[-1]) if fault.args else type(fault).__name__
