"""Checks passwords by a bind to what an LDAP URL names; knows no accounts."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from attrs import asdict
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ...config.source import Source
from ...directory.asked import Threads
from ...directory.ldap import right_for, warn_in_clear
from ...directory.ldap_url import LdapUrl
from ...sasl.text import MOST_PASSWORD
from ...tables.asked import SourceDown
from ...tables.ldap_connections import LdapConnections, TooMany
from ...tables.settings import LdapLogin, LdapServer
from ...tables.trusted import trusted_cas
from ..credentials import text_of
from ..names import address_of, login_key


@implementer(ICredentialsChecker)
class UrlChecker:
    """The avatar ID is the login name, as PRECIS has it."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self,
        reactor: Any,
        source: Source,
        url: LdapUrl,
        login: LdapLogin,
        default_domain: str = "",
    ) -> None:
        """Raises ConfigError without ldap3, ValueError for what cannot be used."""
        server = LdapServer(
            **asdict(login), servers=(url.server,), base=url.base.text, scope=url.scope
        )
        self._connections = LdapConnections(server, trusted_cas(login.ca), "checkers")
        check_filter(url.filter)
        warn_in_clear(source, server)
        self._url, self._default = url, default_domain
        self._threads = Threads(reactor, source)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:
        """Raises UnauthorizedLogin, AuthUnavailable."""
        password = credentials.password
        address = address_of(text_of(credentials.username), self._default)
        if (
            address is None
            or not (self._url.names_domain or address.domain == self._default)
            or not 0 < len(password) <= MOST_PASSWORD
            or b"\0" in password
        ):
            raise UnauthorizedLogin()
        name = str(address)
        if not await self._threads.run(self._is_right, name, password):
            raise UnauthorizedLogin()
        return name.encode()

    def _is_right(self, name: str, password: bytes) -> bool:
        """In a thread."""
        url = self._url
        dn = url.name_of(name) if url.named else self._found(name)
        return dn is not None and right_for(self._connections, dn, password)

    def _found(self, name: str) -> str | None:
        """The name of the only entry that is called so."""
        url = self._url
        try:
            found = self._connections.search(
                url.name_of(name) or "",
                url.query_of(name),
                url.scope,
                (url.attribute,),
                2,
            )
        except TooMany:
            return None
        if found is None:
            raise SourceDown(f"noSuchObject for {url.base.text!r}")
        if len(found) != 1:
            return None
        # Only one attribute was asked for; the server may call it by another name.
        values = chain.from_iterable(found[0].values.values())
        return found[0].dn if spelled_so(name, values) else None

    async def close(self) -> None:
        await self._threads.close()


def spelled_so(name: str, values: Iterable[str]) -> bool:
    """True if one of the values is this login name: comparisons of a directory are
    loose, and another spelling would be another user to whoever asked us."""
    return login_key(name) in map(login_key, values)


def check_filter(query: str) -> None:
    """Raises ValueError for what is no filter (RFC 4515)."""
    from ldap3.core.exceptions import LDAPExceptionError
    from ldap3.operation.search import parse_filter

    try:
        parse_filter(query, None, True, True, None, False)
    except LDAPExceptionError as fault:
        raise ValueError(f"the LDAP URL's filter is none: {fault}") from fault
