"""`[sieve]`: filters of users and of the server."""

from __future__ import annotations

from attrs import frozen

from .checks import ge, matches_re, some_of
from .option import DAY_S, KIB, MINUTE_S, option, required

CAUSES = ("APPEND", "COPY", "FLAG")
SIEVE_URL = matches_re(
    r"(?:sieve://[A-Za-z0-9.:\[\]-]+)?", "a URL like sieve://mail.example.org"
)


@frozen(kw_only=True)
class Sieve:
    """Scripts that mail goes through on its way into a mailbox (RFC 5228)."""

    enabled: bool = option(True, "Carry out the scripts of users and those below.")
    before: tuple[str, ...] = option(
        (),
        "Script files that all mail goes through before the user's own script; each "
        "sees what those before it kept.",
        path=True,
        texts=True,
    )
    after: tuple[str, ...] = option(
        (), "Script files for what the user's script keeps.", path=True, texts=True
    )
    default: str = option(
        "",
        "Script file for accounts that have no script of their own, such as "
        "`etc/sieve/junk.sieve`, which files spam to Junk. None if empty.",
        path=True,
    )
    shared: str = option(
        "",
        "Folder of the scripts, `NAME.sieve`, that users' scripts may `include "
        ":global`. None if empty.",
        path=True,
    )
    without: tuple[str, ...] = option(
        (), "Extensions that scripts may not use, such as `editheader`.", texts=True
    )
    lists: tuple[str, ...] = option(
        (),
        "Tables (`[[table]]`) that scripts may ask with `:list` (RFC 6134), by name.",
        texts=True,
    )
    events: bool = option(
        True,
        "When an IMAP client appends, copies or moves messages to a mailbox or changes "
        "flags in it, carry out the script that the mailbox's or the account's "
        "annotation `/shared/imapsieve/script` names (RFC 6785). Needs ManageSieve, or "
        "`url`.",
    )
    url: str = option(
        "",
        "Where IMAP clients are sent to manage scripts, as `sieve://mail.example.org`; "
        "the listener for ManageSieve of this server if empty.",
        SIEVE_URL,
    )
    expunge_discarded: bool = option(
        False,
        "Remove a message that a script for IMAP events does not keep; off, it is only "
        "marked as deleted.",
    )
    script_octets: int = option(64 * KIB, "Octets of one script, at most.", ge(KIB))
    scripts: int = option(32, "Scripts of one account, at most.", ge(1))
    session_idle_s: float = option(
        30 * MINUTE_S,
        "Time after which a silent ManageSieve client is logged out; RFC 5804 §1.1 "
        "asks for 30 min.",
        ge(1),
    )
    session_login_s: float = option(
        3 * MINUTE_S, "Time that a ManageSieve client has to log in.", ge(1)
    )
    session_errors: int = option(
        10, "Wrong commands of a ManageSieve client before it is cut off.", ge(1)
    )
    work: int = option(
        1_000_000,
        "Work that the scripts may do for one message and recipient, in units of about "
        "a microsecond.",
        ge(1000),
    )
    actions: int = option(32, "Actions for one message and recipient.", ge(1))
    redirects: int = option(
        5, "Redirects of one message by one recipient; 0 allows none.", ge(0)
    )
    list_members: int = option(
        100, "Members of a list that `redirect :list` sends to, at most.", ge(1)
    )
    vacation_least_s: float = option(
        MINUTE_S, "Shortest time between two answers to one sender.", ge(1)
    )
    vacation_most_s: float = option(
        365 * DAY_S, "Longest time between two answers to one sender.", ge(DAY_S)
    )


@frozen(kw_only=True)
class ImapEvent:
    """Scripts of the server for what IMAP clients do to messages (RFC 6785), such as
    moving them into Junk."""

    mailbox: str = required(
        "In which mailboxes: a name as in LIST, with `*` and `%`, or a special use "
        'like `"\\\\Junk"`. Names are those that the owner of the mailbox has for them.'
    )
    source: str = option(
        "",
        "From which mailboxes messages are copied or moved, likewise; any if empty. "
        "What is copied from another account has none of these.",
    )
    causes: tuple[str, ...] = option(
        CAUSES,
        "What clients do: `APPEND`, `COPY` (moving is the same), `FLAG` for changed "
        "flags.",
        some_of(CAUSES),
        texts=True,
    )
    before: tuple[str, ...] = option(
        (),
        "Script files that run before the one of the mailbox.",
        path=True,
        texts=True,
    )
    after: tuple[str, ...] = option(
        (), "Script files for what that one keeps.", path=True, texts=True
    )
