"""The settings files of tables that are servers: TOML, readable by their owner."""

from __future__ import annotations

from attrs import frozen

from ..config.checks import ge, in_
from ..config.option import option, required


@frozen(kw_only=True)
class MysqlServer:
    """How a database is reached."""

    host: str = option("127.0.0.1", "Server; several with commas, tried in order.")
    port: int = option(3306, "Its port.", ge(1))
    socket: str = option("", "Unix socket instead of host and port.")
    user: str = required("Login.")
    password: str = option("", "Its password.", secret=True)
    database: str = required("Database.")
    ca: str = option("", "PEM file of CAs: the server must speak TLS.", path=True)
    timeout_s: float = option(
        10.0, "Wait for a connection, and for an answer.", ge(0.1)
    )


@frozen(kw_only=True)
class MysqlSettings(MysqlServer):
    """The file that `source` of a `mysql` table names."""

    query: str = option(
        "",
        "The query, if the table has none: `SELECT goto FROM alias WHERE name='%s'`.",
    )
    format: str = option(
        "%s", "What becomes of each value: `%s` itself, `%u`, `%d` its parts."
    )
    threads: int = option(2, "Connections at once, at most.", ge(1))


@frozen(kw_only=True)
class MysqlAccounts(MysqlServer):
    """The file that `settings` of a `mysql` source names.

    Columns count by their names: `name`, `password`, `home`, `mailbox`, `uid`, `gid`,
    `quota`, `messages`, `mailbox_limits`, `enabled`, `uses`, `send_as`, `groups`,
    `senders`.
    """

    account: str = required(
        "The query for a login name, one row: `SELECT username AS name, password FROM "
        "mailbox WHERE username = '%s'`; `%u` and `%d` are its parts."
    )
    address: str = option("", "The query for a recipient; `account` if empty.")
    scheme: str = option("CRYPT", "Of hashes that name none.")


@frozen(kw_only=True)
class LdapLogin:
    """How we come in; the file of `;settings=` behind an LDAP URL."""

    starttls: bool = option(False, "StartTLS first; needed, never by chance.")
    ca: str = option("", "PEM file of CAs; the system's if empty.", path=True)
    bind_dn: str = option("", "Login; anonymous if empty.")
    password: str = option("", "Its password.", secret=True)
    timeout_s: float = option(
        10.0, "Wait for a connection, and for an answer.", ge(0.1)
    )


@frozen(kw_only=True)
class LdapServer(LdapLogin):
    """How a directory is reached, and where in it to look."""

    servers: tuple[str, ...] = required(
        "URLs, tried in order: `ldap://host`, `ldaps://host:port`, `ldapi://%2Fpath`.",
        texts=True,
    )
    base: str = required("Where to search; may hold `%d` and the like.")
    scope: str = option("sub", "How deep.", in_(("sub", "one", "base")))


@frozen(kw_only=True)
class LdapSettings(LdapServer):
    """The file that `source` of an `ldap` table names."""

    query: str = option("", "The filter, if the table has none: `(mail=%s)`.")
    attributes: tuple[str, ...] = option(
        ("maildrop",), "Attributes whose values are the result.", texts=True
    )
    format: str = option(
        "%s", "What becomes of each value: `%s` itself, `%u`, `%d` its parts."
    )
    threads: int = option(2, "Connections at once, at most.", ge(1))


@frozen(kw_only=True)
class LdapAccounts(LdapServer):
    """The file that `settings` of an `ldap` source names."""

    account: str = required(
        "The filter for a login name, one entry: `(mail=%s)`; `%u` and `%d` are its "
        "parts."
    )
    address: str = option("", "The filter for a recipient; `account` if empty.")
    verify: str = option(
        "bind",
        "How a password is checked: `bind` as the entry, or its `hash` read and "
        "compared here.",
        in_(("bind", "hash")),
    )
    scheme: str = option("CRYPT", "Of hashes that name none.")
    fields: tuple[str, ...] = option(
        ("name=mail", "password=userPassword"),
        "Which attributes tell what: `field=attribute`.",
        texts=True,
    )
    group: str = option("", "DN of a group that accounts must have in `memberOf`.")
    nested: bool = option(
        False, "Groups in that group count too (Active Directory does so)."
    )
    group_filter: str = option(
        "",
        "A search that must find something, as `(&(cn=mail)(member=%D))`; `%D` is the "
        "DN of the entry.",
    )
    group_base: str = option("", "Where that search begins; `base` if empty.")


# What the files of each kind hold.
ACCOUNTS: dict[str, type[MysqlServer | LdapServer]] = {
    "mysql": MysqlAccounts,
    "ldap": LdapAccounts,
}
TABLES: dict[str, type[MysqlServer | LdapServer]] = {
    "mysql": MysqlSettings,
    "ldap": LdapSettings,
}
