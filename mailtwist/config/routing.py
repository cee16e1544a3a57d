"""Where a recipient's mail goes: domains, tables, aliases, mailboxes, routes, SRS."""

from __future__ import annotations

from attrs import frozen

from ..delivery import routes
from .checks import Check, ge, in_, le, reads
from .option import KIB, option, required

TABLE_KINDS = ("file", "aliases", "regexp", "inline", "sqlite", "mysql", "ldap")

STATIC = "static:"


def static_number(text: str) -> int | None:
    """The number of "static:5000"; None for what names a table, ValueError for what is
    neither."""
    if not text.startswith(STATIC):
        return None
    number = text.removeprefix(STATIC)
    if not number.isascii() or not number.isdigit() or not int(number):
        raise ValueError(text)
    return int(number)


def _static_or_name(text: str) -> bool:
    try:
        return static_number(text) is not None or bool(text)
    except ValueError:
        return False


STATIC_OR_NAMES = Check(
    "`static:NUMBER`, or names of tables",
    lambda texts: all(map(_static_or_name, texts)),
)


@frozen(kw_only=True)
class Domain:
    """A domain whose mail is delivered here; Postfix's mydestination,
    virtual_mailbox_domains and virtual_alias_domains."""

    name: str = required("The domain; UTF-8 or A-labels.", domain=True)
    alias_of: str = option(
        "",
        "Another local domain: every address here is the same one there. In Postfix "
        "`@here @there` in virtual_alias_maps.",
        domain=True,
    )
    accounts: bool = option(
        True,
        "It has mailboxes. Without, only aliases: Postfix's virtual_alias_domains.",
    )
    alias_files: bool = option(
        True,
        "The names in `alias.files` are names of this domain, as in Postfix's "
        "mydestination; off for its virtual_mailbox_domains.",
    )
    account_storage_octets: int = option(
        0,
        "Octets that each account of the domain may hold of which its source says "
        "nothing; 0 for what `quota.storage_octets` says.",
        ge(0),
    )
    senders: tuple[str, ...] = option(
        (),
        "Who may send from every address of the domain, and of none that an account "
        "says nothing of: logins, `$GROUP`, or `anyone` who logs in.",
        texts=True,
    )
    account_messages: int = option(
        0, "Likewise messages; 0 for what `quota.messages` says.", ge(0)
    )
    storage_octets: int = option(
        0,
        "Octets that all accounts of the domain may hold together; 0 for no limit.",
        ge(0),
    )
    messages: int = option(
        0, "Messages that they may hold together; 0 for no limit.", ge(0)
    )


@frozen(kw_only=True)
class Table:
    """A lookup table, as Postfix's `hash:`, `regexp:`, `mysql:` and `ldap:` maps."""

    name: str = required("Its name in other options.")
    kind: str = required(
        "Where it is: `file` (lines of `key value`, as the source of postmap; reread "
        "when it changes), `aliases` (aliases(5)), `regexp` (lines of `/pattern/ "
        "value`), `inline` (`entries`), `sqlite`, `mysql` or `ldap`.",
        in_(TABLE_KINDS),
    )
    source: str = option(
        "",
        "The file, or the database of sqlite; for mysql and ldap the file with its "
        "settings.",
        path=True,
    )
    query: str = option(
        "",
        "The SQL query or LDAP filter; `%s` is the key, `%u` and `%d` its local part "
        "and domain, always bound or escaped. May stand in the settings instead.",
    )
    entries: tuple[str, ...] = option(
        (), "Of `inline`: texts of `key value`.", texts=True
    )
    cache_s: float = option(
        30.0, "How long an answer of sqlite, mysql or ldap is kept.", ge(0)
    )
    unknown_cache_s: float = option(
        5.0, "How long it is kept that a key is not there.", ge(0)
    )


@frozen(kw_only=True)
class Mailboxes:
    """Mailboxes named by tables, with owners that are no accounts."""

    tables: tuple[str, ...] = option(
        (),
        "Names of tables from `user@domain` to a path below `folder` and never "
        "outside it: a Maildir with `/` at its end, `domain/user/`, else an mbox file. "
        "Postfix's virtual_mailbox_maps.",
        texts=True,
    )
    domains: tuple[str, ...] = option(
        (),
        "Names of tables with further local domains as keys, whatever the value: "
        "Postfix's virtual_mailbox_domains. `alias.files` do not count there.",
        texts=True,
    )
    folder: str = option(
        "",
        "Where they lie; Postfix's virtual_mailbox_base.",
        path=True,
    )
    uids: tuple[str, ...] = option(
        (),
        "Whose files they are, if the server is root: `static:5000`, and names of "
        "tables with a uid for `user@domain` or `@domain`; the server's user if empty. "
        "Postfix's virtual_uid_maps.",
        STATIC_OR_NAMES,
        texts=True,
    )
    gids: tuple[str, ...] = option(
        (),
        "The same for their groups; Postfix's virtual_gid_maps.",
        STATIC_OR_NAMES,
        texts=True,
    )
    least_uid: int = option(
        100,
        "Mail for a mailbox with a uid below this waits; Postfix's "
        "virtual_minimum_uid.",
        ge(1),
    )


@frozen(kw_only=True)
class Alias:
    """Aliases and forwarding."""

    files: tuple[str, ...] = option(
        (),
        "Files in /etc/aliases form for the local domains; Postfix's alias_maps.",
        texts=True,
        path=True,
    )
    virtual: tuple[str, ...] = option(
        (),
        "Names of tables of virtual aliases; `@domain` in one is a catch-all for "
        "addresses without a mailbox. Postfix's virtual_alias_maps.",
        texts=True,
    )
    domains: tuple[str, ...] = option(
        (),
        "Names of tables with domains that have aliases only as keys: Postfix's "
        "virtual_alias_domains.",
        texts=True,
    )
    forward: bool = option(
        True, "Follow `.forward` in an account's home; Postfix's forward_path."
    )
    commands: bool = option(
        False,
        "Let aliases run commands (`|command`) and write files (`/file`); Postfix's "
        "allow_mail_to_commands and allow_mail_to_files.",
    )
    forward_commands: bool = option(
        False, "Let `.forward` do so too, as the user that owns the account's home."
    )
    command_user: str = option(
        "nobody",
        "System user that commands and files of aliases run as, if the server is "
        "root; Postfix's default_privs.",
    )
    command_s: float = option(
        1000.0,
        "Time for a command until it is killed; Postfix's command_time_limit.",
        ge(0.1),
    )
    output_octets: int = option(
        4 * KIB, "How much of a command's output a report may show.", ge(0)
    )
    most_depth: int = option(
        50,
        "Aliases behind aliases, at most; Postfix's virtual_alias_recursion_limit.",
        ge(1),
        le(80),
    )
    most_targets: int = option(
        10_000,
        "Recipients that one address may become; Postfix's "
        "virtual_alias_expansion_limit.",
        ge(1),
    )


@frozen(kw_only=True)
class RelayDomain:
    """A domain that is taken for another host, as backup MX or gateway; Postfix's
    relay_domains."""

    name: str = required(
        "`domain`, or `.domain` for everything below it.",
        reads(routes.check_domain, "`domain` or `.domain`"),
    )
    recipients: tuple[str, ...] = option(
        (),
        "Names of tables with the addresses that exist there (`user@domain`, or "
        "`@domain` for all), others are refused; Postfix's relay_recipient_maps. All "
        "are taken if empty, and their bounces are yours.",
        texts=True,
    )


@frozen(kw_only=True)
class Route:
    """Where mail for a domain, an address or from a sender goes; Postfix's
    transport_maps, sender_dependent_default_transport_maps and default_transport."""

    match: str = option(
        "",
        f"{routes.MATCHES}; all that goes elsewhere if empty. Only a route with a "
        "`match`, or a table, counts for local domains.",
        reads(routes.check_match, routes.MATCHES),
    )
    sender: str = option(
        "",
        f"Only from {routes.SENDERS}; from all if empty.",
        reads(routes.check_sender, routes.SENDERS),
    )
    action: str = option(
        "",
        f"{routes.ACTIONS}. In Postfix's words the transport and the next hop.",
        reads(routes.parsed_action, routes.ACTIONS),
    )
    table: str = option(
        "",
        "Instead of `action`: name of a table whose values are actions, its keys as in "
        "transport(5): `user@domain`, `domain`, `.domain`, `*`.",
    )
    by: str = option(
        "recipient",
        "Whose address is looked up in `table`; by `sender` the keys are `user@domain` "
        "and `@domain`.",
        in_(("recipient", "sender")),
    )


@frozen(kw_only=True)
class Srs:
    """Sender rewriting of forwarded mail, so that SPF holds at the next host."""

    domain: str = option(
        "", "Domain of rewritten senders; the first local one if empty.", domain=True
    )
    enabled: bool = option(True, "Rewrite foreign senders of forwarded mail.")
    hash_length: int = option(
        6,
        "Characters of the hash in a rewritten sender, each of 5 bits.",
        ge(4),
        le(20),
    )
    valid_days: int = option(
        21, "Days for which a bounce to a rewritten sender goes back.", ge(1), le(500)
    )
