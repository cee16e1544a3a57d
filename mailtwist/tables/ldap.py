"""A table in an LDAP directory."""

from __future__ import annotations

from .asked import MOST_VALUES, SourceDown
from .ldap_connections import LdapConnections, TooMany
from .mysql import formatted
from .query import Key, Template, filter_escaped, name_escaped, template
from .settings import LdapSettings


class LdapSource:
    """Asks one directory; `ask` runs in threads."""

    def __init__(self, settings: LdapSettings, cas: str | None, query: str) -> None:
        """Raises ValueError for a filter or servers that cannot be used, ConfigError
        without ldap3."""
        self._connections = LdapConnections(settings, cas, "tables")
        self._settings = settings
        self._filter = filter_template(query)
        self._base: Template = template(settings.base)
        self._format: Template = template(settings.format)

    def ask(self, key: str) -> str | None:
        """The values of a key, joined by commas, in the order of the attributes.
        Raises SourceDown."""
        asked = Key(key)
        query = self._filter.filled(asked, filter_escaped)
        base = self._base.filled(asked, name_escaped)
        if query is None or base is None:
            return None
        settings = self._settings
        try:
            entries = self._connections.search(
                base, query, settings.scope, settings.attributes, MOST_VALUES
            )
        except TooMany as fault:
            raise SourceDown(f"one key has more than {MOST_VALUES} entries") from fault
        if entries is None:
            if self._base.constant:
                raise SourceDown(f"noSuchObject for {base!r}")
            return None
        values = [
            value
            for entry in entries
            for name in settings.attributes
            for value in entry.values.get(name.lower(), ())
        ]
        return formatted(values, self._format)


def filter_template(query: str, codes: str = "") -> Template:
    """Raises ValueError for what is no filter with codes."""
    made = template(query, codes)
    if made.constant or not query.startswith("("):
        raise ValueError('the filter is to be like "(mail=%s)"')
    return made
