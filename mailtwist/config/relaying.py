"""`[relay]`, `[[smarthost]]`, `[[tls_policy]]`, `[dns]`: sending to other hosts."""

from __future__ import annotations

from attrs import frozen

from ..delivery import routes
from .checks import ge, in_, reads
from .option import DAY_S, MINUTE_S, option, required

TLS_LEVELS = ("none", "may", "encrypt", "dane", "verify")


@frozen(kw_only=True)
class Relay:
    """Sending to other hosts."""

    port: int = option(25, "Port of hosts found by MX.", ge(1))
    source_ipv4: str = option("", "IPv4 address to send from; any if empty.")
    source_ipv6: str = option("", "IPv6 address to send from; any if empty.")
    ipv6: bool = option(True, "Try IPv6 addresses, first among equals.")
    loopback_hosts: bool = option(
        False,
        "Send to MX hosts with a loopback address, which are a loop otherwise.",
    )
    hostname: str = option("", "Name said in EHLO; `server.hostname` if empty.")
    hops: int = option(50, "Received fields that make a loop (RFC 5321 §6.3).", ge(10))
    connect_s: float = option(30.0, "Wait for a connection.", ge(0.1))
    greeting_s: float = option(
        5 * MINUTE_S, "Wait for the greeting (RFC 5321 §4.5.3.2.1).", ge(0.1)
    )
    command_s: float = option(
        5 * MINUTE_S, "Wait for a reply (RFC 5321 §4.5.3.2.2 to 3).", ge(0.1)
    )
    data_s: float = option(
        3 * MINUTE_S, "Wait for the host to take octets (RFC 5321 §4.5.3.2.5).", ge(0.1)
    )
    end_s: float = option(
        10 * MINUTE_S, "Wait for the reply to the end of data (§4.5.3.2.6).", ge(0.1)
    )
    idle_s: float = option(
        2.0, "How long a connection is kept for a next message.", ge(0)
    )
    tls: str = option(
        "may",
        "TLS where no `[[tls_policy]]`, DANE or MTA-STS says more: `none`, `may` (if "
        "offered, unverified), `encrypt` (needed, unverified), `dane` (by TLSA if "
        "there are, else `may`), `verify` (needed, certificate and name checked).",
        in_(TLS_LEVELS),
    )
    ca: str = option(
        "",
        "PEM file of trusted CAs, read again when it changes; the system's if empty.",
        path=True,
    )
    mta_sts: bool = option(True, "Keep to MTA-STS policies (RFC 8461).")
    tlsrpt: bool = option(True, "Count TLS results and send reports (RFC 8460).")


@frozen(kw_only=True)
class Smarthost:
    """A host that takes all mail for elsewhere."""

    host: str = required("`name:port`, or `[address]:port`.")
    tls: str = option(
        "starttls",
        "`starttls` (needed), `implicit`, or `none`.",
        in_(("starttls", "implicit", "none")),
    )
    verify: bool = option(True, "Check certificate and name.")
    ca: str = option("", "PEM file of trusted CAs; `relay.ca` if empty.", path=True)
    sender: str = option(
        "",
        f"Only for senders {routes.SENDERS}; for all if empty.",
        reads(routes.check_sender, routes.SENDERS),
    )
    credentials: str = option(
        "",
        "File with the login, readable by its owner only: TOML with `user` and "
        "`password`, or `user`, `client_id`, `client_secret`, `refresh_token` and "
        "`token_url` for XOAUTH2. Read again when it changes. No login if empty.",
        path=True,
    )


@frozen(kw_only=True)
class TlsPolicy:
    """TLS asked of a destination."""

    destination: str = required("Domain, `.domain` with all below, or `[host]:port`.")
    tls: str = required(
        "As `relay.tls`; goes before DANE and MTA-STS.", in_(TLS_LEVELS)
    )
    names: tuple[str, ...] = option(
        (), "Names the certificate may have; the host's if empty.", texts=True
    )


@frozen(kw_only=True)
class Dns:
    """The resolver."""

    servers: tuple[str, ...] = option(
        (),
        "Resolvers as `address` or `address:port`; those of /etc/resolv.conf if empty.",
        texts=True,
    )
    timeout_s: float = option(3.0, "Wait for one answer.", ge(0.1))
    tries: int = option(3, "Questions until a look-up fails.", ge(1))
    cache: int = option(10_000, "Answers kept, at most.", ge(0))
    most_ttl_s: float = option(DAY_S, "Longest time an answer is kept.", ge(0))
    validating: bool = option(
        False,
        "The resolvers check DNSSEC and the way to them is safe, so that the AD bit "
        "counts (DANE, RFC 7672).",
    )
