"""The configuration as frozen values: default, limits and manual in one place.

`docs/config.md` is printed from the `help` of each option, `load` checks a TOML file
against these classes.  Units stand in the names: `_s` seconds, `_octets` octets.  A
value in the file may carry a unit ("5 min", "25 MiB"); here it is a plain number.
"""

from __future__ import annotations

from attrs import frozen

from .agents import Agents
from .checks import between, ge, in_, some_of
from .deleting import Deleted
from .gating import Gate
from .limiting import QuotaLimits
from .listing import ListOfConfig, Lists
from .mbox import Mbox
from .option import (
    DAY_S,
    KIB,
    MIB,
    MINUTE_S,
    Network,
    listing,
    option,
    required,
    section,
)
from .process import Process
from .queueing import Queue
from .reading import Imap4, Pop3
from .relaying import Dns, Relay, Smarthost, TlsPolicy
from .restricting import RestrictionClass, Restrictions
from .routing import Alias, Domain, Mailboxes, RelayDomain, Route, Srs, Table
from .searching import Search
from .sharing import PublicFolder, Sharing
from .sieve import ImapEvent, Sieve
from .source import Master, Source
from .trusting import Dkim, Trust
from .vouching import CERTIFICATE_NAMES, Gssapi, Oidc

PROTOCOLS = ("smtp", "submission", "lmtp", "pop3", "imap4", "manage_sieve")
EHLO_KEYWORDS = (  # that a server can do without
    *("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN"),
    *("REQUIRETLS", "DELIVERBY", "FUTURERELEASE", "MT-PRIORITY", "LIMITS", "PRDR"),
    *("ETRN", "XCLIENT", "XFORWARD", "VRFY", "HELP", "BURL"),
)
AUTHOR_CHECKS = ("refuse", "sender", "x-header", "off")
TLS_MODES = ("implicit", "starttls", "none")


@frozen(kw_only=True)
class Server:
    """Names and places."""

    hostname: str = option(
        "",
        "Name of this host in greetings, Received fields and message ids; the system's "
        "fully qualified name if empty.",
    )
    data: str = option(
        "/var/lib/mailtwist",
        "Folder of everything that is kept: accounts, mail, keys. A relative path is "
        "taken from the folder of the configuration file.",
        path=True,
    )
    postmaster: str = option(
        "",
        "Account that gets mail for postmaster of every local domain when no such "
        "account exists; the first account if empty.",
    )


@frozen(kw_only=True)
class Listener:
    """A socket and the service behind it."""

    protocol: str = required("What is spoken.", in_(PROTOCOLS))
    endpoint: str = required(
        "Twisted endpoint string of the socket: `tcp:25`, `tcp6:25:interface=\\:\\:1`, "
        "`unix:/run/mail.sock`, `systemd:...`. `ssl:` and `haproxy:` strings are "
        "accepted and translated into `tls` and `proxy_protocol`."
    )
    tls: str = option(
        "starttls",
        "`implicit` (TLS from the first octet), `starttls` (offered) or `none`.",
        in_(TLS_MODES),
    )
    proxy_protocol: bool = option(
        False, "The peer is a proxy that sends a PROXY header (version 1 or 2) first."
    )
    name: str = option("", "Its name in `source.listeners`.")


@frozen(kw_only=True)
class Tls:
    """Certificate and what is negotiated with it."""

    certificate: str = option(
        "",
        "PEM file with the certificate and its chain; if empty, a self-signed one is "
        "made in the data folder on first start.",
        path=True,
    )
    key: str = option(
        "", "PEM file with the private key; the certificate's file if empty.", path=True
    )
    client_ca: str = option(
        "",
        "PEM file of the CAs whose certificates log clients in (EXTERNAL); clients are "
        "asked for none if empty. Port 25 and LMTP never ask.",
        path=True,
    )
    minimum: str = option("1.2", "Lowest TLS version spoken.", in_(("1.2", "1.3")))
    check_renewed_s: float = option(
        10.0, "How often the files are looked at for a renewed certificate.", ge(1.0)
    )


@frozen(kw_only=True)
class Limits:
    """What one peer may take."""

    connections: int = option(2000, "Connections at once, all services.", ge(1))
    connections_per_network: int = option(
        200, "Connections at once from one IPv4 address or one IPv6 /64.", ge(1)
    )
    stop_grace_s: float = option(
        10.0, "How long sessions may finish their command when the server stops.", ge(0)
    )


@frozen(kw_only=True)
class Smtp:
    """ESMTP on port 25 and on the submission ports."""

    message_octets: int = option(
        50 * MIB, "Largest message (SIZE, RFC 1870).", ge(64 * KIB)
    )
    recipients: int = option(
        1000, "Recipients of one message; RFC 5321 §4.5.3.1.8 asks for 100.", ge(100)
    )
    messages: int = option(10000, "Messages in one connection.", ge(1))
    errors: int = option(
        20, "Wrong commands in one connection before 421 closes it.", ge(1)
    )
    command_s: float = option(
        5 * MINUTE_S, "Wait for a command; RFC 5321 §4.5.3.2.7 asks for 5 min.", ge(1)
    )
    data_s: float = option(
        3 * MINUTE_S, "Wait for more of a message (RFC 5321 §4.5.3.2.5).", ge(1)
    )
    greeting_pause_s: float = option(
        0.0,
        "Wait before the greeting of a stranger; a client that talks meanwhile is "
        "refused (RFC 5321 §4.3.1).",
        ge(0),
    )
    text_line_octets: int = option(
        998,
        "Longest line of a message without its CRLF; RFC 5321 §4.5.3.1.6 says 998.",
        ge(998),
    )
    bare_lf: str = option(
        "refuse",
        "A line end without CR: `refuse`, or `normalize` for `bare_lf_networks` only. "
        "Type with `ncat -C` and it is not needed.",
        in_(("refuse", "normalize")),
    )
    bare_lf_networks: tuple[Network, ...] = option(
        (), "Networks for which `bare_lf` may be `normalize`.", networks=True
    )
    author_check: str = option(
        "refuse",
        "What becomes of a message whose From or Sender is no address of the login "
        "that submits it (RFC 6409 §6.1): `refuse` it, add `sender`, a Sender field "
        "with the login's address, or an `x-header`, X-Authenticated-Sender; `off` for "
        "no look at it. From is added where it is missing, unless `off`.",
        in_(AUTHOR_CHECKS),
    )
    sender_logins: tuple[str, ...] = option(
        (),
        "Names of tables from addresses, or `@domain`, to the logins that may send "
        "from them, `$GROUP` for a group. Postfix's smtpd_sender_login_maps.",
        texts=True,
    )
    author_resent: bool = option(
        True,
        "Judge a message that somebody sends on unchanged (RFC 5322 §3.6.6) by its "
        "Resent-From, and leave its From alone.",
    )
    received_tls: bool = option(True, "Name TLS version and cipher in Received.")
    received_login: bool = option(
        False, "Name the login in Received of submitted messages."
    )
    received_client: bool = option(
        True, "Name the address of a submitting client in Received."
    )
    withheld: tuple[str, ...] = option(
        (),
        "EHLO keywords that are not offered, as Postfix's "
        "`smtpd_discard_ehlo_keywords`; commands and parameters that came with them "
        "are refused.",
        some_of(EHLO_KEYWORDS),
        texts=True,
    )
    recipient_domains: int = option(
        0,
        "Domains among the recipients of one message (RFC 9422); 0 for no limit.",
        ge(0),
    )
    deliver_by_s: int = option(
        0,
        "Least time in which a message may be wanted delivered or returned (DELIVERBY, "
        "RFC 2852).",
        ge(0),
    )
    hold_s: int = option(
        round(7 * DAY_S),
        "Longest time for which a submitted message is held when its sender wishes "
        "(FUTURERELEASE, RFC 4865); 0 to not offer it.",
        ge(0),
    )
    priority: int = option(
        4,
        "Highest priority that logins and trusted networks may give a message "
        "(MT-PRIORITY, RFC 6710); others may only ask for less than normal.",
        between(0, 9),
    )
    vrfy: bool = option(
        False,
        "Answer VRFY with the truth for local addresses; otherwise 252 "
        "(RFC 5321 §3.5.3).",
    )


@frozen(kw_only=True)
class Auth:
    """Logging in."""

    plaintext_without_tls: bool = option(
        False,
        "Accept passwords on connections without TLS. Leave it off but for tests.",
    )
    default_domain: str = option(
        "", "Added to login names without @; none if empty.", domain=True
    )
    scram_iterations: int = option(
        120_000,
        "Iterations of SCRAM-SHA-256 keys made from now on.",
        between(100_000, 10_000_000),
    )
    scram_sha1: bool = option(False, "Keep SCRAM-SHA-1 keys too (old clients).")
    scram_waits: bool = option(
        False,
        "Offer SCRAM only while no account of the user database lacks keys for it: "
        "neither one with an imported password not used yet nor one with application "
        "passwords. Otherwise those need a mechanism that sends the password.",
    )
    channel_binding: bool = option(
        False,
        "Offer SCRAM over TLS also with channel binding (SCRAM-...-PLUS). Programs on "
        "Cyrus SASL without channel binding, such as mutt, choose it and then fail.",
    )
    digest_md5: bool = option(
        False,
        "Offer DIGEST-MD5 to accounts whose password is kept (old clients; RFC 6331 "
        "advises against it).",
    )
    certificate_names: tuple[str, ...] = option(
        ("email",),
        "What of a client's certificate is the account's name, for EXTERNAL: `email` "
        "(in subjectAltName) or `common_name`, the first that is an account.",
        some_of(CERTIFICATE_NAMES),
        texts=True,
    )
    certificate_table: str = option(
        "",
        "The table that tells the account of a certificate by its SHA-256 fingerprint "
        "(64 hexadecimal digits in lower case), asked before the names in it.",
    )
    anonymous: str = option(
        "",
        "Account that whoever asks for ANONYMOUS reads over POP3 and IMAP; not offered "
        "if empty. Nobody sends mail so.",
    )
    anonymous_read_only: bool = option(
        True, "Nobody who came by ANONYMOUS may change or remove mail."
    )
    argon2_memory_kib: int = option(
        19_456, "Memory of an argon2id hash (RFC 9106 §4).", between(8192, 262_144)
    )
    argon2_passes: int = option(2, "Passes of an argon2id hash.", between(1, 16))
    failure_delay_s: float = option(
        1.0, "Delay of the first failed login; doubles with each more.", ge(0)
    )
    most_delay_s: float = option(
        5.0, "Longest delay by the counter of an account.", ge(0)
    )
    failures_per_network: int = option(
        50,
        "Failed logins from one address within an hour before its logins are refused "
        "for the rest of it; four times as many from an IPv6 /64.",
        ge(3),
    )
    failures_per_server: int = option(
        100,
        "For each so many failed logins of strangers within an hour, logins from where "
        "nobody has logged in before wait `failure_delay_s`, at most `most_delay_s`.",
        ge(1),
    )
    ipv4_prefix: int = option(
        24,
        "IPv4 networks of this length are counted as one beside their addresses; 32 "
        "to not do so. IPv6 networks are /48.",
        between(8, 32),
    )
    throttle_file: str = option(
        "",
        "Beginning of the names of six files with the counters of failed logins, for "
        "several servers on this machine "
        "that shall count together, and over restarts; in memory only if empty.",
        path=True,
    )
    threads: int = option(2, "Threads that check passwords.", ge(1))


@frozen(kw_only=True)
class Delivery:
    """Local delivery."""

    subaddress_separator: str = option(
        "+", "Separates user and detail in user+detail; off if empty."
    )
    delivered_to: bool = option(True, "Write Delivered-To.")
    delivery_date: bool = option(True, "Write Delivery-Date.")
    sync: str = option(
        "auto",
        "How a batch of files is made durable: `fsync` each, one `syncfs`, or `auto` "
        "(whichever is safe and gains).",
        in_(("auto", "fsync", "syncfs")),
    )
    memory_octets: int = option(
        256 * KIB,
        "A message up to this size waits in memory; a larger one streams to disk.",
        ge(4 * KIB),
    )


@frozen(kw_only=True)
class Log:
    """Where events are told."""

    to: str = option(
        "stdout",
        "`stdout`, `syslog` (facility mail; `syslog:/path` for another socket than "
        "/dev/log) or the path of a file, which may be moved away at any time.",
        path=True,
        words=("stdout", "syslog"),
    )
    format: str = option(
        "human", "One line for people, or JSON.", in_(("human", "json"))
    )
    level: str = option(
        "info", "Least level told.", in_(("debug", "info", "warn", "error"))
    )


@frozen(kw_only=True)
class Config:
    """The whole file."""

    server: Server = section(Server, "Names and places.")
    domain: tuple[Domain, ...] = listing(Domain, "Local domains.")
    listener: tuple[Listener, ...] = listing(Listener, "Sockets.")
    trusted_networks: tuple[Network, ...] = option(
        (),
        "Networks whose hosts may send mail anywhere without logging in, as typed by "
        "hand: addresses without brackets are taken too.",
        networks=True,
    )
    tls: Tls = section(Tls, "Certificate.")
    limits: Limits = section(Limits, "What one peer may take.")
    smtp: Smtp = section(Smtp, "ESMTP and submission.")
    pop3: Pop3 = section(Pop3, "POP3.")
    imap4: Imap4 = section(Imap4, "IMAP4.")
    auth: Auth = section(Auth, "Logging in.")
    oidc: Oidc = section(Oidc, "Logging in by tokens of an OpenID provider.")
    gssapi: Gssapi = section(Gssapi, "Logging in by Kerberos tickets.")
    source: tuple[Source, ...] = listing(
        Source,
        "Where accounts and passwords come from, asked in this order; the user "
        "database alone if there is none.",
    )
    master: tuple[Master, ...] = listing(
        Master, "Accounts that may log in as others, `user*master`."
    )
    delivery: Delivery = section(Delivery, "Local delivery.")
    quota: QuotaLimits = section(QuotaLimits, "What accounts may hold.")
    mbox: Mbox = section(Mbox, "Mailboxes that are mbox files.")
    sieve: Sieve = section(Sieve, "Filters of users and of the server.")
    imap_event: tuple[ImapEvent, ...] = listing(
        ImapEvent, "Scripts for what IMAP clients do."
    )
    search: Search = section(Search, "The full-text index.")
    deleted: Deleted = section(Deleted, "Expunged mail that is kept for a while.")
    sharing: Sharing = section(Sharing, "Mailboxes that others gave rights to.")
    public_folder: tuple[PublicFolder, ...] = listing(
        PublicFolder, "Mailboxes that nobody owns."
    )
    lists: Lists = section(Lists, "Mailing lists.")
    mailing_list: tuple[ListOfConfig, ...] = listing(
        ListOfConfig, "Lists that this file makes; `mailtwist list` makes others."
    )
    table: tuple[Table, ...] = listing(
        Table, "Lookup tables that other options name as `table:NAME`."
    )
    alias: Alias = section(Alias, "Aliases and forwarding.")
    mailboxes: Mailboxes = section(
        Mailboxes, "Mailboxes named by tables, without accounts."
    )
    relay_domain: tuple[RelayDomain, ...] = listing(
        RelayDomain, "Domains taken for another host: backup MX, gateways."
    )
    route: tuple[Route, ...] = listing(
        Route, "Where mail goes; the first that matches counts."
    )
    srs: Srs = section(Srs, "Sender rewriting of forwarded mail.")
    queue: Queue = section(Queue, "The queue of mail that waits.")
    relay: Relay = section(Relay, "Sending to other hosts.")
    smarthost: tuple[Smarthost, ...] = listing(
        Smarthost, "Hosts that take all mail for elsewhere, in order of preference."
    )
    tls_policy: tuple[TlsPolicy, ...] = listing(
        TlsPolicy, "TLS asked of a destination; the first that matches counts."
    )
    dns: Dns = section(Dns, "The resolver.")
    restrictions: Restrictions = section(
        Restrictions, "What a client must keep to; Postfix's smtpd_*_restrictions."
    )
    gate: Gate = section(Gate, "What is asked about strangers before their mail.")
    trust: Trust = section(Trust, "What is believed of mail from strangers.")
    dkim: Dkim = section(Dkim, "Signatures of mail that is written here.")
    process: Process = section(Process, "Whom the server runs as.")
    agents: Agents = section(Agents, "Files of accounts that have a uid of their own.")
    restriction_class: tuple[RestrictionClass, ...] = listing(
        RestrictionClass, "Checks under names, for lists and access tables."
    )
    log: Log = section(Log, "Logs.")
