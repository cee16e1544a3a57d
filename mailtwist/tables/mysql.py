"""A table in MySQL or MariaDB."""

from __future__ import annotations

from .mysql_connections import MysqlConnections
from .query import Key, Statement, Template, statement, template
from .settings import MysqlSettings
from .sqlite import text


class MysqlSource:
    """Asks one database; each thread keeps a connection."""

    def __init__(self, settings: MysqlSettings, cas: str | None, query: str) -> None:
        """Raises ValueError for a query that cannot be used, ConfigError without
        PyMySQL."""
        self._connections = MysqlConnections(settings, cas, "tables")
        self._statement: Statement = statement(query, placeholder="%s", percent="%%")
        self._format: Template = template(settings.format)

    def ask(self, key: str) -> str | None:
        """The values of a key, joined by commas.  Raises SourceDown."""
        parameters = self._statement.parameters(Key(key))
        if parameters is None:
            return None
        _, rows = self._connections.rows(self._statement.sql, parameters)
        values = [text(one) for row in rows for one in row if one is not None]
        return formatted(values, self._format)


def formatted(values: list[str], form: Template) -> str | None:
    """Each value in its form, joined by commas; None if there is none."""
    filled = [form.filled(Key(value)) for value in values if value]
    return ",".join(one for one in filled if one) or None
