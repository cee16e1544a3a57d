"""`[[table]]`, `[alias]`, `[[route]]`, `[srs]`: where a recipient's mail goes."""

from __future__ import annotations

from attrs import frozen

from .checks import in_
from .option import option, required

TABLE_KINDS = ("file", "aliases", "regexp", "inline", "sqlite", "mysql", "ldap")


@frozen(kw_only=True)
class Table:
    """A lookup table, as Postfix's `hash:`, `regexp:`, `mysql:` and `ldap:` maps."""

    name: str = required("Its name in other options.")
    kind: str = required("Where it is.", in_(TABLE_KINDS))
    source: str = option(
        "", "The file; for mysql and ldap the file with its settings.", path=True
    )
    query: str = option(
        "",
        "The SQL query or LDAP filter; `%s` is the key, `%u` and `%d` its local part "
        "and domain, always bound or escaped.",
    )


@frozen(kw_only=True)
class Alias:
    """Aliases and forwarding."""

    files: tuple[str, ...] = option(
        (), "Files in /etc/aliases form for the local domains.", texts=True, path=True
    )
    virtual: tuple[str, ...] = option(
        (),
        "Names of tables of virtual aliases; `@domain` in one is a catch-all.",
        texts=True,
    )
    forward: bool = option(True, "Follow `.forward` in an account's home.")
    commands: bool = option(
        False, "Let aliases run commands (`|command`) and write files (`/file`)."
    )


@frozen(kw_only=True)
class Route:
    """Where mail for a domain, an address or from a sender goes."""

    match: str = option(
        "", "`domain`, `.domain` and all below, or `user@domain`; all if empty."
    )
    sender: str = option("", "Only from `user@domain` or `@domain`; from all if empty.")
    action: str = required(
        "`smtp:`, `smtp:domain`, `smtp:[host]:port`, `lmtp:[host]:port`, "
        "`lmtp:unix:/path`, `pipe:command`, `error:5.1.2 text`, `discard:`, "
        "`smarthost:`."
    )


@frozen(kw_only=True)
class Srs:
    """Sender rewriting of forwarded mail."""

    domain: str = option(
        "", "Domain of rewritten senders; the first local one if empty.", domain=True
    )
    enabled: bool = option(True, "Rewrite foreign senders of forwarded mail.")
