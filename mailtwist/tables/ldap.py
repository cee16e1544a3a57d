"""A table in an LDAP directory, by ldap3 in threads."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigError
from .asked import MOST_VALUES, SourceDown
from .mysql import formatted
from .query import Key, Template, filter_escaped, name_escaped, template
from .settings import LdapSettings

SUCCESS, NO_SUCH_OBJECT = 0, 32  # result codes


class LdapSource:
    """Asks one directory; each thread keeps a connection."""

    def __init__(self, settings: LdapSettings, query: str) -> None:
        """Raises ValueError for a filter that cannot be used, ConfigError without
        ldap3."""
        try:
            import ldap3
        except ImportError as fault:
            raise ConfigError("tables of kind ldap need the package ldap3") from fault
        self._ldap3 = ldap3
        self._settings = settings
        self._filter: Template = template(query)
        if self._filter.constant or not query.startswith("("):
            raise ValueError('the filter is to be like "(mail=%s)"')
        self._base: Template = template(settings.base)
        self._format: Template = template(settings.format)
        self._scope = {
            "sub": ldap3.SUBTREE,
            "one": ldap3.LEVEL,
            "base": ldap3.BASE,
        }[settings.scope]
        self._threads = threading.local()

    def ask(self, key: str) -> str | None:
        """The values of a key, joined by commas.  Raises SourceDown.

        A connection that the server closed while it was idle is made anew once."""
        asked = Key(key)
        query = self._filter.filled(asked, filter_escaped)
        base = self._base.filled(asked, name_escaped)
        if query is None or base is None:
            return None
        exceptions = self._ldap3.core.exceptions
        kept = getattr(self._threads, "connection", None)
        try:
            if kept is not None:
                try:
                    return self._asked(kept, base, query)
                except (exceptions.LDAPCommunicationError, SourceDown):
                    self._drop()
            return self._asked(self._connected(), base, query)
        except (exceptions.LDAPException, OSError) as fault:
            self._drop()
            raise SourceDown(f"{type(fault).__name__}: {fault}") from fault
        except SourceDown:
            self._drop()
            raise

    def _asked(self, connection: Any, base: str, query: str) -> str | None:
        settings = self._settings
        connection.search(
            base,
            query,
            search_scope=self._scope,
            attributes=list(settings.attributes),
            size_limit=MOST_VALUES,
            time_limit=whole_s(settings.timeout_s),
        )
        result = connection.result["result"]
        if result == NO_SUCH_OBJECT and not self._base.constant:
            return None
        if result != SUCCESS:
            words = connection.result["description"]
            raise SourceDown(f"{words} for {base!r}")
        return formatted(self._values(connection.response), self._format)

    def _values(self, response: Sequence[Any]) -> list[str]:
        """The values of the attributes, in the order of the settings."""
        values: list[str] = []
        for entry in response:
            if entry.get("type") != "searchResEntry":  # a referral is not followed
                continue
            raw = {name.lower(): some for name, some in entry["raw_attributes"].items()}
            for name in self._settings.attributes:
                values += [
                    octets.decode(errors="replace")
                    for octets in raw.get(name.lower(), ())
                ]
        return values

    def _connected(self) -> Any:
        """A connection to the first server that answers and lets us in."""
        fault: Exception = SourceDown("no server is named")
        for url in self._settings.servers:
            try:
                return self._connect(url)
            except (
                self._ldap3.core.exceptions.LDAPException,
                OSError,
                SourceDown,
            ) as why:
                self._drop()
                fault = why
        raise fault

    def _connect(self, url: str) -> Any:
        ldap3, settings = self._ldap3, self._settings
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=settings.ca or None)
        server = ldap3.Server(
            url,
            get_info=ldap3.NONE,
            connect_timeout=settings.timeout_s,
            tls=tls if settings.starttls or url.startswith("ldaps:") else None,
        )
        connection = ldap3.Connection(
            server,
            user=settings.bind_dn or None,
            password=settings.password or None,
            receive_timeout=whole_s(settings.timeout_s),
            read_only=True,
            auto_referrals=False,
            check_names=False,
            raise_exceptions=False,
        )
        self._threads.connection = connection
        connection.open()
        if settings.starttls and not connection.start_tls():
            raise SourceDown(f"{url} does not start TLS")
        if not connection.bind():
            raise SourceDown(
                f"{url} refuses the login: {connection.result['description']}"
            )
        return connection

    def _drop(self) -> None:
        connection = getattr(self._threads, "connection", None)
        self._threads.connection = None
        if connection is not None:
            try:
                connection.unbind()
            except (self._ldap3.core.exceptions.LDAPException, OSError):
                return  # it was broken already


def whole_s(timeout_s: float) -> int:
    """ldap3 wants whole seconds."""
    return max(1, round(timeout_s))
