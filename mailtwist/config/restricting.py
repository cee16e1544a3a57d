"""`[restrictions]`: what a client must keep to."""

from __future__ import annotations

from attrs import frozen

from .checks import ge
from .option import Network, option


@frozen(kw_only=True)
class Restrictions:
    """What a client must keep to; Postfix's smtpd_*_restrictions."""

    helo_required: bool = option(True, "MAIL only after HELO or EHLO.")
    trusted_proxies: tuple[Network, ...] = option(
        (),
        "Networks of proxies that may tell of their clients by XCLIENT and XFORWARD. "
        "Whoever is here can pretend to be anybody, logged in as anybody.",
        networks=True,
    )
    etrn_domains: tuple[str, ...] = option(
        (),
        "Domains whose mail waits here until their host asks for it by ETRN "
        "(RFC 1985); domains below them count too.",
        texts=True,
    )
    etrn_networks: tuple[Network, ...] = option(
        (), "Networks that may say ETRN, beside `trusted_networks`.", networks=True
    )
    messages_per_minute: int = option(
        0, "Messages from one client address in a minute; 0 for no limit.", ge(0)
    )
