"""LDAP URLs (RFC 4516) as the whole of what a login needs to know.

`ldap://HOST:PORT/BASE?ATTRIBUTE?SCOPE?FILTER` searches below BASE for the one entry
whose ATTRIBUTE is the login name.  A BASE with codes (`uid=%u,ou=people,dc=example`) is
the name of the entry itself: nothing is searched.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from attrs import frozen

from ..tables.query import Key, Template, filter_escaped, name_escaped, template

SCHEMES = ("ldap", "ldaps", "ldapi")
SCOPES = ("sub", "one", "base")
ATTRIBUTE = "uid"
ANY_FILTER = "(objectClass=*)"

_DESCRIPTION = re.compile(r"[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+")  # RFC 4512 §2.5
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_WITH_DOMAIN = re.compile(r"(?<!%)(?:%%)*%[sd1-9]")
_SOCKET = re.compile(r"(?:%2[Ff]|[A-Za-z0-9._-])+")


@frozen
class LdapUrl:
    """`server` is the URL's beginning, as settings name servers.

    Where `named`, `base` is the name of the entry; `attribute`, `scope` and `filter`
    count for a search only."""

    server: str
    base: Template
    attribute: str = ATTRIBUTE
    scope: str = "sub"
    filter: str = ANY_FILTER

    @property
    def named(self) -> bool:
        return not self.base.constant

    @property
    def names_domain(self) -> bool:
        """True if the domain of a login name, or its lack, makes another entry."""
        return not self.named or bool(_WITH_DOMAIN.search(self.base.text))

    def name_of(self, login: str) -> str | None:
        """The base for a login name; None if that lacks a part which is asked for."""
        return self.base.filled(Key(login), name_escaped)

    def query_of(self, login: str) -> str:
        """The filter that finds the entry (RFC 4515)."""
        return f"(&{self.filter}({self.attribute}={filter_escaped(login)}))"

    @classmethod
    def parse(cls, text: str) -> LdapUrl:
        """Raises ValueError, which never repeats what may be a password."""
        scheme, mark, rest = text.partition("://")
        if not mark or scheme not in SCHEMES:
            raise ValueError("an LDAP URL begins with ldap://, ldaps:// or ldapi://")
        where, *parts = rest.split("?")
        host, _, base = where.partition("/")
        if "@" in host:
            raise ValueError("an LDAP URL holds no login: give ;settings=FILE")
        found = (_SOCKET if scheme == "ldapi" else _HOST).fullmatch(host)
        if found is None:
            raise ValueError("the LDAP URL names no host, like ldap://ldap.example.org")
        if scheme != "ldapi" and found[1] and not 0 < int(found[1]) < 65536:
            raise ValueError("the LDAP URL's port is none: 1 to 65535")
        if len(parts) > 4:
            raise ValueError("the LDAP URL has more parts than BASE?ATTR?SCOPE?FILTER")
        attribute, scope, query, more = (*map(decoded, parts), *[""] * 4)[:4]
        if more.startswith("!") or ",!" in more:
            raise ValueError("the LDAP URL has an extension that is not known")
        named = template(decoded(base))
        if not named.text:
            raise ValueError("the LDAP URL has no base, like /dc=example,dc=org")
        if not named.constant and (attribute or query or scope not in ("", "base")):
            raise ValueError("a base with %u is no search: ATTR, SCOPE, FILTER go")
        if not _DESCRIPTION.fullmatch(attribute or ATTRIBUTE):
            raise ValueError("the LDAP URL is to have one attribute, or none for uid")
        if (scope or "sub") not in SCOPES:
            raise ValueError(f"the LDAP URL's scope is one of {', '.join(SCOPES)}")
        return cls(
            f"{scheme}://{host}",
            named,
            attribute or ATTRIBUTE,
            scope or "sub",
            query or ANY_FILTER,
        )


def decoded(text: str) -> str:
    """Without percent-encoding; a code like %u, which is none, stays.

    Raises ValueError for what is not UTF-8 then."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as fault:
        raise ValueError("the LDAP URL is not UTF-8") from fault
