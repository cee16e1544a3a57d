"""`[restrictions]`: what a client must keep to."""

from __future__ import annotations

import re

from attrs import frozen

from .checks import Check, between, ge, matches_re
from .option import Network, option, required

ACCESS_WORDS = (
    "check_client_access",
    "check_helo_access",
    "check_sender_access",
    "check_recipient_access",
)
WORDS = (
    *("permit", "permit_mynetworks", "permit_sasl_authenticated"),
    *("permit_inet_interfaces", "reject", "defer", "reject_plaintext_session"),
    *("defer_if_permit", "defer_if_reject"),
    *("reject_unauth_pipelining", "reject_unknown_client_hostname"),
    *("reject_unknown_reverse_client_hostname", "reject_invalid_helo_hostname"),
    *("reject_non_fqdn_helo_hostname", "reject_unknown_helo_hostname"),
    *("reject_non_fqdn_sender", "reject_unknown_sender_domain"),
    *("reject_unlisted_sender", "reject_sender_login_mismatch"),
    *("reject_non_fqdn_recipient", "reject_unknown_recipient_domain"),
)
WARN_IF_REJECT = "warn_if_reject"
ACTION_WORDS = (  # of access tables, in any case
    *("OK", "RELAY", "PERMIT", "DUNNO", "REJECT", "DEFER", "DEFER_IF_PERMIT"),
    *("DEFER_IF_REJECT", "HOLD", "DISCARD", "REDIRECT", "BCC", "FILTER", "PREPEND"),
    *("INFO", "WARN"),
)

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_BETWEEN = re.compile(r"[\s,]+")


@frozen
class Restriction:
    """One check: its word, or the name of a class; the table it asks, "" for none.

    With `warns` a refusal is only written into the log."""

    word: str
    table: str = ""
    warns: bool = False


def restriction_list(text: str) -> tuple[Restriction, ...]:
    """Words between commas or spaces, as Postfix writes them; raises ValueError for
    what can name no restriction.  Which classes and tables there are is not asked."""
    found, words = [], iter(_BETWEEN.split(text.strip(" \t\r\n,")))
    for word in words:
        warns = word == WARN_IF_REJECT
        if warns:
            word = next(words, "")
        table = next(words, "") if word in ACCESS_WORDS else ""
        missing = word in ACCESS_WORDS and not table
        if missing or word == WARN_IF_REJECT or not _NAME.fullmatch(word):
            raise ValueError(text)
        found.append(Restriction(word, table, warns))
    return tuple(found)


def _are_restrictions(texts: tuple[str, ...]) -> bool:
    try:
        return all(len(restriction_list(text)) == 1 for text in texts)
    except ValueError:
        return False


RESTRICTIONS = Check(
    "words of docs/restrictions.md or names of classes, as "
    '["permit_mynetworks", "check_sender_access TABLE"]',
    _are_restrictions,
)


@frozen(kw_only=True)
class RestrictionClass:
    """Checks under one name, for lists and for values of access tables; Postfix's
    smtpd_restriction_classes."""

    name: str = required(
        "What lists and tables call it; no word of docs/restrictions.md.",
        matches_re(r"[A-Za-z][A-Za-z0-9_]*"),
    )
    checks: tuple[str, ...] = option(
        (), "Its checks; where none decides the list goes on.", RESTRICTIONS, texts=True
    )


def _listing(when: str) -> tuple[str, ...]:
    listed: tuple[str, ...] = option(
        (),
        f"{when} The first that permits or refuses counts.",
        RESTRICTIONS,
        texts=True,
    )
    return listed


@frozen(kw_only=True)
class Restrictions:
    """What a client must keep to; Postfix's smtpd_*_restrictions."""

    helo_required: bool = option(True, "MAIL only after HELO or EHLO.")
    delay_reject: bool = option(
        True,
        "Tell what `client`, `helo` and `sender` refuse at RCPT, so that the log knows "
        "whom the mail was for; otherwise at once.",
    )
    client: tuple[str, ...] = _listing("Checks of the client.")
    helo: tuple[str, ...] = _listing("Checks of what HELO or EHLO said.")
    sender: tuple[str, ...] = _listing("Checks of the sender.")
    recipient: tuple[str, ...] = _listing(
        "Checks of each recipient, after relaying was allowed and the mailbox found."
    )
    data: tuple[str, ...] = _listing("Checks before the message.")
    connections_per_minute: int = option(
        0,
        "Connections from one client in a minute; 0 for no limit. A client is an IPv4 "
        "address or an IPv6 /64; `trusted_networks` have no limit.",
        ge(0),
    )
    messages_per_minute: int = option(
        0, "Messages from one client in a minute; 0 for no limit.", ge(0)
    )
    recipients_per_minute: int = option(
        0, "Recipients from one client in a minute; 0 for no limit.", ge(0)
    )
    login_messages_per_hour: int = option(
        0, "Messages of one login in an hour; 0 for no limit.", ge(0)
    )
    login_recipients_per_hour: int = option(
        0, "Recipients of one login in an hour; 0 for no limit.", ge(0)
    )
    login_connections: int = option(
        0, "Connections of one login at once, by SMTP; 0 for no limit.", ge(0)
    )
    soft_errors: int = option(
        10, "Wrong commands in one connection before its errors are slowed.", ge(0)
    )
    error_delay_s: float = option(
        1.0, "Wait before the answer to each further wrong command.", between(0, 60)
    )
    trusted_proxies: tuple[Network, ...] = option(
        (),
        "Networks of proxies that may tell of their clients by XCLIENT and XFORWARD. "
        "Whoever is here can pretend to be anybody, logged in as anybody.",
        networks=True,
    )
    etrn_domains: tuple[str, ...] = option(
        (),
        "Domains whose host may ask for the mail that waits here by ETRN (RFC 1985); "
        "domains below them count too. Those of `[[relay_domain]]` if empty.",
        texts=True,
    )
    etrn_networks: tuple[Network, ...] = option(
        (), "Networks that may say ETRN, beside `trusted_networks`.", networks=True
    )
