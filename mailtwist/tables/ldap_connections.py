"""Connections to LDAP servers for tables and accounts, by ldap3 in threads."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attrs import frozen

from ..errors import ConfigError
from .asked import SourceDown
from .settings import LdapServer

SUCCESS, SIZE_LIMIT, NO_SUCH_OBJECT, INVALID_CREDENTIALS = 0, 4, 32, 49
# Results of a bind that say no: an entry that is gone, or has no password, too.
WRONG = frozenset((NO_SUCH_OBJECT, 48, INVALID_CREDENTIALS))
OVERLOADED = frozenset((1, 51, 52, 80))  # operationsError, busy, unavailable, other

Result = TypeVar("Result")


class TooMany(Exception):
    """A search found more entries than were wanted."""


class CannotSay(Exception):
    """The server is there and does not judge this login; why, without a secret."""


@frozen
class LdapEntry:
    """An entry: attributes by lower-case name, their values in the server's order."""

    dn: str
    values: dict[str, list[str]]


class LdapConnections:
    """Two for each thread that asks: one searches with the login of the settings, the
    other is bound as whoever logs in."""

    def __init__(self, settings: LdapServer, cas: str | None, needed_by: str) -> None:
        """`cas` are PEM texts; the system's if None.  Raises ConfigError without ldap3,
        ValueError for URLs that cannot be used."""
        try:
            import ldap3
        except ImportError as fault:
            raise ConfigError(f"{needed_by} of kind ldap need ldap3") from fault
        if not settings.servers:
            raise ValueError("no server is named")
        for url in settings.servers:
            if not url.startswith(("ldap://", "ldaps://", "ldapi://")):
                raise ValueError(f"{url} is no URL like ldap://host or ldaps://host")
            if settings.starttls and not url.startswith("ldap:"):
                raise ValueError(f"{url} and starttls exclude each other")
        self._ldap3, self._settings = ldap3, settings
        self._cas = cas
        self._scopes = {
            "sub": ldap3.SUBTREE,
            "one": ldap3.LEVEL,
            "base": ldap3.BASE,
        }
        self._threads = threading.local()
        self._first = 0  # of the servers: the one that answered last

    def search(
        self,
        base: str,
        query: str,
        scope: str,
        attributes: Sequence[str],
        most: int,
    ) -> list[LdapEntry] | None:
        """The entries; None if there is no `base`.  References to other servers are not
        followed.  Raises SourceDown, TooMany."""

        def ask(connection: Any) -> list[LdapEntry] | None:
            connection.search(
                base,
                query,
                search_scope=self._scopes[scope],
                attributes=list(attributes) or self._ldap3.NO_ATTRIBUTES,
                size_limit=most,
                time_limit=whole_s(self._settings.timeout_s),
            )
            result = connection.result["result"]
            if result == NO_SUCH_OBJECT:
                return None
            if result == SIZE_LIMIT:
                raise TooMany()
            if result != SUCCESS:
                words = connection.result["description"]
                raise SourceDown(f"{words} for {base!r}")
            return [
                entry_of(one)
                for one in connection.response
                if one.get("type") == "searchResEntry"
            ]

        return self._asked("search", ask)

    def bind(self, dn: str, password: bytes) -> bool:
        """True if `password` is right for the entry `dn`.

        A bind without a password or a name is no login (RFC 4513 §5.1.2): no server is
        asked, nor about what is not UTF-8.  Raises SourceDown, CannotSay."""
        if not dn or not password or not is_text(password):
            return False

        def ask(connection: Any) -> bool:
            connection.user, connection.password = dn, password
            connection.authentication = self._ldap3.SIMPLE
            try:
                connection.bind(read_server_info=False)
            finally:  # it remembers what was sent
                connection.password = connection.request = None
            result, words = (connection.result[k] for k in ("result", "description"))
            if result == SUCCESS:
                return True
            if result in WRONG:
                return False
            if result in OVERLOADED:
                raise SourceDown(f"{words} for a login")
            raise CannotSay(f"{words} for a login")

        return self._asked("bind", ask)

    def _asked(self, purpose: str, ask: Callable[[Any], Result]) -> Result:
        """A connection that the server closed while it was idle is made anew once, to
        the next server if there is one: this one may hang."""
        failures = (self._ldap3.core.exceptions.LDAPException, OSError)
        kept = getattr(self._threads, purpose, None)
        try:
            if kept is not None:
                try:
                    return ask(kept)
                except (*failures, SourceDown):
                    self._leave(purpose)
            return ask(self._connected(purpose))
        except failures as fault:
            self._drop(purpose)
            raise SourceDown(f"{type(fault).__name__}: {fault}") from fault
        except SourceDown:
            self._drop(purpose)
            raise

    def _connected(self, purpose: str) -> Any:
        """A connection to the first server that answers and lets us in, beginning with
        the one that did so last."""
        servers, first = self._settings.servers, self._first
        fault: Exception = SourceDown("no server is named")
        for turn in range(len(servers)):
            number = (first + turn) % len(servers)
            try:
                connection = self._connect(servers[number], purpose)
            except (
                self._ldap3.core.exceptions.LDAPException,
                OSError,
                SourceDown,
            ) as why:
                self._drop(purpose)
                fault = why
            else:
                self._first = number
                setattr(self._threads, f"{purpose}_at", number)
                return connection
        raise fault

    def _connect(self, url: str, purpose: str) -> Any:
        ldap3, settings = self._ldap3, self._settings
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_data=self._cas)
        server = ldap3.Server(
            url,
            get_info=ldap3.NONE,
            connect_timeout=settings.timeout_s / len(settings.servers),
            tls=tls if settings.starttls or url.startswith("ldaps:") else None,
        )
        searches = purpose == "search"
        connection = ldap3.Connection(
            server,
            user=settings.bind_dn or None if searches else None,
            password=settings.password or None if searches else None,
            receive_timeout=whole_s(settings.timeout_s),
            read_only=True,
            auto_referrals=False,
            check_names=False,
            raise_exceptions=False,
        )
        setattr(self._threads, purpose, connection)
        connection.open(read_server_info=False)
        if settings.starttls and not connection.start_tls(read_server_info=False):
            raise SourceDown(f"{url} does not start TLS")
        if searches and not connection.bind(read_server_info=False):
            raise SourceDown(
                f"{url} refuses the login: {connection.result['description']}"
            )
        return connection

    def _leave(self, purpose: str) -> None:
        at: int = getattr(self._threads, f"{purpose}_at")
        if self._first == at:  # no other thread did so already
            self._first = (at + 1) % len(self._settings.servers)
        self._drop(purpose)

    def _drop(self, purpose: str) -> None:
        connection = getattr(self._threads, purpose, None)
        setattr(self._threads, purpose, None)
        if connection is not None:
            try:
                connection.unbind()
            except (self._ldap3.core.exceptions.LDAPException, OSError):
                return  # it was broken already


def entry_of(response: dict[str, Any]) -> LdapEntry:
    return LdapEntry(
        response["dn"],
        {
            name.lower(): [octets.decode(errors="replace") for octets in values or ()]
            for name, values in response["raw_attributes"].items()
        },
    )


def is_text(octets: bytes) -> bool:
    """ldap3 fails for other octets, and tells them."""
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def whole_s(timeout_s: float) -> int:
    """ldap3 wants whole seconds."""
    return max(1, round(timeout_s))
