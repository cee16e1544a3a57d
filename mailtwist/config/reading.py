"""How mail is read: POP3 and IMAP."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from ..mailbox import special_uses
from ..mailbox.model import MOST_LEVELS, MOST_NAME
from .checks import Check, between, ge, in_, matches_re, none_or_ge
from .option import KIB, MIB, MINUTE_S, option

_FILTER = re.compile(r"([A-Za-z0-9_.-]+):[ \t]*([ -~]+)", re.ASCII)


def filters_of(texts: Iterable[str]) -> dict[str, bytes]:
    """Search criteria by name in lower case, of texts "name: criteria"; ValueError for
    others."""
    found: dict[str, bytes] = {}
    for text in texts:
        match = _FILTER.fullmatch(text)
        if match is None or match[1].lower() in found:
            raise ValueError(text)
        found[match[1].lower()] = match[2].encode("ascii")
    return found


def _are_filters(texts: Iterable[str]) -> bool:
    try:
        filters_of(texts)
    except ValueError:
        return False
    return True


@frozen(kw_only=True)
class Pop3:
    """POP3 (RFC 1939)."""

    idle_s: float = option(
        10 * MINUTE_S, "Autologout timer; RFC 1939 §3 asks for 10 min.", ge(1)
    )
    errors: int = option(20, "Wrong commands before the connection is closed.", ge(1))
    login_delay_s: int = option(0, "LOGIN-DELAY told by CAPA (RFC 2449 §6.5).", ge(0))
    expire: str = option(
        "NEVER",
        "EXPIRE told by CAPA: days or `NEVER` (RFC 2449 §6.7).",
        matches_re(r"NEVER|\d{1,5}", '"NEVER" or a number of days'),
    )
    lock: bool = option(
        True,
        "One POP3 session at a time for a maildrop (RFC 1939 §3); others get [IN-USE].",
    )


@frozen(kw_only=True)
class Imap4:
    """IMAP4rev1 (RFC 3501)."""

    idle_s: float = option(
        30 * MINUTE_S, "Autologout timer; RFC 3501 §5.4 asks for 30 min.", ge(1)
    )
    login_s: float = option(MINUTE_S, "Time to log in after connect.", ge(1))
    line_octets: int = option(
        64 * KIB, "Longest command line without its literals.", ge(1000)
    )
    literal_octets: int = option(
        64 * KIB, "Largest literal that is not a message.", ge(1000)
    )
    message_octets: int = option(100 * MIB, "Largest message in APPEND.", ge(64 * KIB))
    messages_per_command: int = option(
        0,
        "Messages that one command may touch (MESSAGELIMIT); 0 for any number.",
        none_or_ge(1000),
    )
    annotations: int = option(
        100, "Annotations (METADATA) of one mailbox or account.", ge(10)
    )
    annotation_octets: int = option(
        32 * KIB, "Largest value of an annotation (METADATA).", ge(KIB)
    )
    filters: tuple[str, ...] = option(
        (),
        "Searches that every user finds by name (FILTERS, `/shared/filters/values/`), "
        "as `name: criteria`, such as `late: FLAGGED BEFORE 1-Jan-2026`. A user's own "
        "of that name comes first.",
        Check("texts of `name: criteria` in ASCII, each name once", _are_filters),
        texts=True,
    )
    admin: str = option(
        "",
        "URI of the administrator that METADATA tells clients, `tel:` or `mailto:`; "
        "the postmaster of this host if empty.",
    )
    errors: int = option(50, "BAD answers before the connection is closed.", ge(1))
    stalled_s: float = option(
        5 * MINUTE_S,
        "A client that takes nothing of what it asked for is cut off after this.",
        ge(1),
    )
    literal_minus: bool = option(
        False,
        "Offer LITERAL- in place of LITERAL+: literals above 4096 octets, messages to "
        "append too, are then refused unless the client waits before it sends them.",
    )
    compress: bool = option(
        True,
        "Offer COMPRESS=DEFLATE. Where others can send mail to a user and watch the "
        "sizes of TLS records, compression can tell them something of what stands "
        "beside their mail.",
    )
    delimiter: str = option(
        "/", "Hierarchy delimiter shown to clients; `.` for Courier homes.", in_("/.")
    )
    eight_bit_headers: bool = option(
        True,
        "Take messages with octets above 127 in their header from clients that have "
        "not enabled UTF8=ACCEPT, as programs that move mail between servers have "
        "them. RFC 6855 §4 asks to refuse them.",
    )
    most_levels: int = option(
        32,
        "Levels of a mailbox name that clients may make; deeper ones that are there "
        "can be used.",
        between(2, MOST_LEVELS),
    )
    name_octets: int = option(
        512,
        "Octets of a mailbox name in UTF-8, delimiters included, that clients may "
        "make; one level has up to 255.",
        between(64, MOST_NAME),
    )
    special_uses: tuple[str, ...] = option(
        special_uses.STANDARD,
        "Mailboxes with a special use (RFC 6154) that a new account gets, made and "
        "subscribed when it is first used, as `use: name`, whatever `delimiter` is. Of "
        "an account that comes with mailboxes, those that are named so, or as other "
        "programs name theirs, get the use instead. What a user deletes stays deleted. "
        "`[]` for none.",
        Check(special_uses.ALLOWED, special_uses.readable),
        texts=True,
    )
    url_hosts: tuple[str, ...] = option(
        (),
        "Names of this server in IMAP URLs that carry their authorization (URLAUTH), "
        "beside `server.hostname`.",
        texts=True,
    )
    submitters: tuple[str, ...] = option(
        (),
        "Accounts of message submission servers elsewhere: what a URL lets submission "
        "fetch (`submit+`) is given to them. Submission here needs none.",
        texts=True,
    )
    poll_s: float = option(
        1.0,
        "How often the folder of idle sessions is looked at for what other programs "
        "did. On local file systems the kernel tells at once, and looks are rarer.",
        ge(0.1),
    )
