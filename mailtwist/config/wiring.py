"""What options of routing say about each other: tables that are named, domains."""

from __future__ import annotations

from collections.abc import Iterator

from ..host_port import address_port, destination
from .listing import list_address
from .model import Config
from .restricting import (
    ACCESS_WORDS,
    ACTION_WORDS,
    WARN_IF_REJECT,
    WORDS,
    Restriction,
    restriction_list,
)
from .routing import static_number

DNS_PORT = 53


def faults(config: Config) -> Iterator[str]:
    """A sentence for each thing that several options together get wrong."""
    yield from _tables(config)
    yield from _domains(config)
    yield from _sources(config)
    yield from _sending(config)
    yield from _vouching(config)
    yield from _restrictions(config)
    yield from _sharing(config)
    yield from _lists(config)
    for number, event in enumerate(config.imap_event, 1):
        if not event.before and not event.after:
            yield f"imap_event[{number}] needs before or after: name the scripts"
    for number, route in enumerate(config.route, 1):
        if bool(route.action) == bool(route.table):
            yield f"route[{number}] needs either action or table, and not both"
    if config.mailboxes.tables and not config.mailboxes.folder:
        yield "mailboxes.tables needs mailboxes.folder: name where they lie"
    if bool(config.mailboxes.uids) != bool(config.mailboxes.gids):
        yield "mailboxes.uids and mailboxes.gids need each other: give both or none"
    if not config.smarthost and any(r.action == "smarthost:" for r in config.route):
        yield 'route action "smarthost:" needs a [[smarthost]]'


def _sharing(config: Config) -> Iterator[str]:
    """Names of what is shared."""
    if config.sharing.others == config.sharing.shared:
        yield "sharing.others and sharing.shared are the same name"
    if config.deleted.namespace in (config.sharing.others, config.sharing.shared):
        yield "deleted.namespace is a name that shared mailboxes have"
    for name in ("name", "maildir", "address"):
        given = [getattr(one, name) for one in config.public_folder]
        for text in sorted({each for each in given if given.count(each) > 1} - {""}):
            yield f'public_folder {name} = "{text}" is given twice'


def _lists(config: Config) -> Iterator[str]:
    """Mailing lists of the file."""
    local = {domain.name: domain for domain in config.domain}
    tables = config.mailboxes.domains or config.alias.domains
    addresses = [list_address(one.address) for one in config.mailing_list]
    for twice in sorted({str(a) for a in addresses if addresses.count(a) > 1}):
        yield f"mailing_list {twice} is given twice"
    for address, one in zip(addresses, config.mailing_list, strict=True):
        domain = local.get(address.domain)
        if domain is None and local and not tables:
            yield f"mailing_list {address}: {address.domain} is no [[domain]]"
        if domain is not None and domain.alias_of:
            yield f"mailing_list {address}: name it in {domain.alias_of}"
        if one.one_click and not config.lists.url:
            yield f"mailing_list {address}: one_click needs lists.url"


def _vouching(config: Config) -> Iterator[str]:
    """Who vouches for logins."""
    oidc, gssapi = config.oidc, config.gssapi
    if oidc.issuer and not oidc.audience:
        yield "oidc.issuer needs oidc.audience: tokens for others are no logins here"
    if oidc.introspection and not (oidc.client_id and oidc.client_secret):
        yield "oidc.introspection needs oidc.client_id and oidc.client_secret"
    if gssapi.keytab and not gssapi.realms:
        yield "gssapi.keytab needs gssapi.realms: name those whose tickets count"


def _sending(config: Config) -> Iterator[str]:
    """Resolvers, and TLS with other hosts."""
    for server in config.dns.servers:
        try:
            address_port(server, DNS_PORT)
        except ValueError as fault:
            yield f"dns.servers: {fault}"
    levels = [("relay.tls", config.relay.tls)]
    for number, policy in enumerate(config.tls_policy, 1):
        levels.append((f"tls_policy[{number}].tls", policy.tls))
        try:
            destination(policy.destination, config.relay.port)
        except ValueError as fault:
            yield f"tls_policy[{number}].destination: {fault}"
    for at, level in levels:
        if level == "dane" and not config.dns.validating:
            yield f'{at} = "dane" needs dns.validating = true, or it does nothing'


def _tables(config: Config) -> Iterator[str]:
    names = [table.name for table in config.table]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"table {name} is given twice"
    for table in config.table:
        if table.kind == "inline" and table.source:
            yield f"table {table.name}: source is not for inline, give entries"
        if table.kind != "inline" and table.entries:
            yield f"table {table.name}: entries is for inline only, give source"
        if table.kind != "inline" and not table.source:
            yield f"table {table.name}: source is missing"
        if table.kind == "sqlite" and not table.query:
            yield f"table {table.name}: query is missing"
    for at, named in _names(config):
        if named not in names:
            known = ", ".join(names) or "none is there"
            yield f'{at} = "{named}" names no [[table]]; known: {known}'


def _names(config: Config) -> Iterator[tuple[str, str]]:
    """(option, table it names)."""
    for at, named in (
        ("alias.virtual", config.alias.virtual),
        ("alias.domains", config.alias.domains),
        ("smtp.sender_logins", config.smtp.sender_logins),
        ("mailboxes.tables", config.mailboxes.tables),
        ("mailboxes.domains", config.mailboxes.domains),
        ("mailboxes.uids", config.mailboxes.uids),
        ("mailboxes.gids", config.mailboxes.gids),
    ):
        for name in named:
            owner = at in ("mailboxes.uids", "mailboxes.gids")
            if not owner or static_number(name) is None:
                yield at, name
    if config.auth.certificate_table:
        yield "auth.certificate_table", config.auth.certificate_table
    for at, one in restrictions(config):
        if one.table:
            yield at, one.table
    for number, relayed in enumerate(config.relay_domain, 1):
        for name in relayed.recipients:
            yield f"relay_domain[{number}].recipients", name
    for number, route in enumerate(config.route, 1):
        if route.table:
            yield f"route[{number}].table", route.table


def restrictions(config: Config) -> Iterator[tuple[str, Restriction]]:
    """(option, check) of every list and class."""
    lists = [
        (f"restrictions.{phase}", getattr(config.restrictions, phase))
        for phase in ("client", "helo", "sender", "recipient", "data")
    ]
    lists += [
        (f"restriction_class {c.name}", c.checks) for c in config.restriction_class
    ]
    for at, texts in lists:
        for text in texts:
            yield from ((at, one) for one in restriction_list(text))


def _restrictions(config: Config) -> Iterator[str]:
    names = [one.name for one in config.restriction_class]
    words = {*WORDS, *ACCESS_WORDS}
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"restriction_class {name} is given twice"
    for name in sorted(set(names)):
        if name in words or name == WARN_IF_REJECT or name.upper() in ACTION_WORDS:
            yield f"restriction_class {name}: that is a word already"
    for at, one in restrictions(config):
        if one.word not in words and one.word not in names:
            known = ", ".join(names) or "none is there"
            yield (
                f'{at}: "{one.word}" is no word of docs/restrictions.md and no '
                f"[[restriction_class]]; known: {known}"
            )
    asks = {
        name: {o.word for at, o in restrictions(config) if at.endswith(f" {name}")}
        for name in names
    }
    for name in names:
        if name in _reached(asks, name):
            yield f"restriction_class {name} leads to itself"


def _reached(asks: dict[str, set[str]], name: str) -> set[str]:
    """Every class that the checks of one lead to."""
    reached: set[str] = set()
    left = [name]
    while left:
        for further in asks[left.pop()]:
            if further in asks and further not in reached:
                reached.add(further)
                left.append(further)
    return reached


def _domains(config: Config) -> Iterator[str]:
    local = {domain.name: domain for domain in config.domain}
    for domain in config.domain:
        if not domain.alias_of:
            continue
        other = local.get(domain.alias_of)
        if other is None:
            yield f"domain {domain.name}: alias_of names no [[domain]]"
        elif other.alias_of:
            yield f"domain {domain.name}: alias_of names a domain that is one itself"
    tables = config.mailboxes.domains or config.alias.domains
    rewritten = local.get(config.srs.domain)
    if config.srs.domain and not tables and rewritten is None:
        yield f"srs.domain names no [[domain]]: {config.srs.domain} gets no bounces"
    if rewritten is not None and rewritten.alias_of:
        yield f"srs.domain names an alias_of: give {rewritten.alias_of}"
    relayed = [one.name for one in config.relay_domain]
    for name in sorted({n for n in relayed if relayed.count(n) > 1 or n in local}):
        yield f"relay_domain {name} is given twice, or is a [[domain]] too"


def _sources(config: Config) -> Iterator[str]:
    local = {domain.name for domain in config.domain}
    listeners = {one.name for one in config.listener if one.name}
    names = [source.called for source in config.source]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"source {name} is given twice: give each its own name"
    for source in config.source:
        at = f"source {source.called}"
        if source.kind in ("mysql", "ldap") and not source.settings:
            yield f"{at}: settings is missing"
        if source.kind == "passwd_file" and not source.path:
            yield f"{at}: path is missing"
        if source.names == "local" and not source.domains:
            yield f'{at}: names = "local" needs domains: say whose they are'
        yield from (
            f'{at}: domains: "{name}" is no [[domain]]'
            for name in source.domains
            if name not in local
        )
        yield from (
            f'{at}: listeners: "{name}" is the name of no [[listener]]'
            for name in source.listeners
            if name not in listeners
        )
    for number, master in enumerate(config.master, 1):
        yield from (
            f'master[{number}]: domains: "{name}" is no [[domain]]'
            for name in master.domains
            if name not in local
        )
