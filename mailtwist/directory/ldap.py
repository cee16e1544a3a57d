"""Accounts in an LDAP directory: OpenLDAP, Active Directory and the like."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from twisted.logger import Logger

from ..address import Address
from ..config.model import Config
from ..config.source import Source
from ..errors import AuthUnavailable
from ..sasl.text import prepared
from ..tables.asked import SourceDown
from ..tables.ldap import filter_template
from ..tables.ldap_connections import CannotSay, LdapConnections, TooMany
from ..tables.query import Key, Template, filter_escaped, name_escaped, template
from ..tables.settings import LdapAccounts, LdapServer
from ..tables.settled import Settled
from .asked import AskedDirectory, Threads
from .fields import Entry
from .ldap_fields import mapped
from .reread import Open, open_here

log = Logger("mailtwist")

IN_CHAIN = "1.2.840.113556.1.4.1941"  # Active Directory: groups in groups


@frozen
class EntryKey(Key):
    """What was asked for, and the entry that was found for it."""

    dn: str = field(default="", kw_only=True)

    def part(self, code: str) -> str | None:
        return self.dn if code == "D" else super().part(code)


class Asking:
    """Connections, and what is asked over them; `read` runs in a thread."""

    def __init__(self, settings: LdapAccounts, cas: str | None) -> None:
        """Raises ConfigError, ValueError."""
        self.settings = settings
        self.connections = LdapConnections(settings, cas, "sources")
        self._base = template(settings.base)
        self._by_login = filter_template(in_group(settings, settings.account))
        self._by_address = filter_template(
            in_group(settings, settings.address or settings.account)
        )
        self._group = None
        if settings.group_filter:
            self._group = filter_template(settings.group_filter, "D")
        self._group_base = template(settings.group_base or settings.base)
        hidden = () if settings.verify == "hash" else ("password",)
        self._mapped = mapped(settings.fields, without=hidden)

    def read(self, key: Key, by_address: bool) -> dict[str, str] | None:
        """In a thread."""
        asking = self._by_address if by_address else self._by_login
        query = asking.filled(key, filter_escaped)
        base = self._base.filled(key, name_escaped)
        if query is None or base is None:
            return None
        try:
            found = self.connections.search(
                base, query, self.settings.scope, self._mapped.attributes, 2
            )
        except TooMany:
            found = []
        if found is None and self._base.constant:
            raise SourceDown(f"noSuchObject for {base!r}")
        if found is None or len(found) != 1:
            return None
        entry = found[0]
        member = EntryKey(key.text, dn=entry.dn)
        if self._group is not None and not self._is_member(self._group, member):
            return None
        try:
            return {**self._mapped.texts(entry.values), "dn": entry.dn}
        except ValueError as fault:
            raise AuthUnavailable(f"{key.text}: {fault}") from fault

    def _is_member(self, group: Template, key: EntryKey) -> bool:
        query = group.filled(key, filter_escaped)
        base = self._group_base.filled(key, name_escaped)
        if query is None or base is None:
            return False
        try:
            return bool(self.connections.search(base, query, "sub", (), 1))
        except TooMany:
            return True


class LdapDirectory(AskedDirectory):
    """Raises SourceDown if no server answers, AuthUnavailable for an entry that cannot
    be meant.

    `settings` are those of the start: `verify` and `scheme` are not changed later."""

    def __init__(
        self, reactor: Any, config: Config, source: Source, open_: Open = open_here
    ) -> None:
        """Raises ConfigError, ValueError for settings that cannot be used."""
        super().__init__(config, source)
        self._asking = Settled(LdapAccounts, source.settings, Asking, open_)
        settings = self.settings = self._asking.settings
        warn_in_clear(source, settings)
        self._threads = Threads(reactor, source)

    async def texts(self, key: Key, *, by_address: bool) -> Mapping[str, str] | None:
        found: dict[str, str] | None
        asking = self._asking()
        found = await self._threads.run(asking.read, key, by_address)
        if found is not None and by_address and asking.settings.address:
            found["same"] = "no"
        return found

    async def verified(self, name: str, password: bytes) -> Entry | None:
        """The account with this login name, if the password is right for its entry.

        Searched and bound in one turn of a thread: when more logins wait than the
        servers can answer, those whose turn it is are still answered.  Raises
        AuthUnavailable."""
        address = self.login_address(name)
        if address is None:
            return None
        found: Entry | None = await self._threads.run(
            self._verify, self._asking(), address, password
        )
        return found

    def _verify(
        self, asking: Asking, address: Address, password: bytes
    ) -> Entry | None:
        """In a thread."""
        entry = self.made(address, asking.read(self.key_of(address), False))
        if entry is None:
            return None
        return entry if right_for(asking.connections, entry.dn, password) else None

    async def close(self) -> None:
        await self._threads.close()


def right_for(connections: LdapConnections, dn: str, password: bytes) -> bool:
    """In a thread.  The password is asked about as it came, then prepared by SASLprep
    (RFC 4513 §5.1.3).  Raises AuthUnavailable, and SourceDown of tables."""
    bind, form = connections.bind, prepared(password)
    try:
        return bind(dn, password) or (form != password and bind(dn, form))
    except CannotSay as fault:
        raise AuthUnavailable(str(fault)) from fault


def warn_in_clear(source: Source, settings: LdapServer) -> None:
    for url in settings.servers:
        if not settings.starttls and in_clear(url):
            log.warn(
                "source {source}: passwords go to {url} without TLS",
                source=source.called,
                url=url,
            )


def in_group(settings: LdapAccounts, query: str) -> str:
    """The filter with what the group requires."""
    if not settings.group:
        return query
    rule = f":{IN_CHAIN}:" if settings.nested else ""
    group = filter_escaped(settings.group).replace("%", "%%")
    return f"(&{query}(memberOf{rule}={group}))"


def in_clear(url: str) -> bool:
    """True for a server that is reached over a network without TLS of its own."""
    parts = urlsplit(url)
    if parts.scheme != "ldap":
        return False
    try:
        return not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname not in ("localhost", None)
