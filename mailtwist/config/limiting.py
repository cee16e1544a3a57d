"""`[quota]`: what accounts and their mailboxes may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from ..mailbox.model import INBOX, Path
from .checks import Check, ge, in_
from .option import option
from .sizes import octets_of

MailboxLimit = tuple[Path, int | None, int | None]  # with octets and messages

ALLOWED = (
    "texts like `Lists: 1 GiB`, `Lists/py: 5000 messages` or `Archive: 2 GiB, 9000 "
    "messages`; `/` in a name stands between its levels"
)
_MESSAGES = re.compile(r"\s*(\d{1,18})\s*messages?\s*", re.IGNORECASE)
_PERCENT = re.compile(r"\s*(\d{1,3})\s*%?\s*")


def mailbox_limits(texts: Iterable[str]) -> tuple[MailboxLimit, ...]:
    """Limits of mailboxes with their inferiors; raises ValueError for other texts."""
    found: dict[Path, MailboxLimit] = {}
    for text in texts:
        name, colon, amounts = text.rpartition(":")
        path = tuple(part for part in name.strip().split("/"))
        if path[0].upper() == "INBOX":
            path = INBOX + path[1:]
        if not colon or not all(path) or path in found:
            raise ValueError(text)
        octets = messages = None
        for amount in amounts.split(","):
            counted = _MESSAGES.fullmatch(amount)
            if counted and messages is None:
                messages = int(counted[1])
            elif octets is None and (size := octets_of(amount)) is not None:
                octets = size
            else:
                raise ValueError(text)
        found[path] = path, octets, messages
    return tuple(found.values())


def percents(texts: Iterable[str]) -> tuple[int, ...]:
    """The numbers of "80" or "80%", ascending; ValueError for others."""
    found = set()
    for text in texts:
        number = _PERCENT.fullmatch(text)
        if number is None or not 1 <= int(number[1]) <= 100:
            raise ValueError(text)
        found.add(int(number[1]))
    return tuple(sorted(found))


def _limits_readable(texts: Iterable[str]) -> bool:
    try:
        mailbox_limits(texts)
    except ValueError:
        return False
    return True


def _percents_readable(texts: Iterable[str]) -> bool:
    try:
        percents(texts)
    except ValueError:
        return False
    return True


@frozen(kw_only=True)
class QuotaLimits:
    """What accounts may hold that their source says nothing of; see docs/quota.md."""

    storage_octets: int = option(
        0,
        "Octets that an account may hold of which neither its source nor its domain "
        "says so; 0 for no limit.",
        ge(0),
    )
    messages: int = option(0, "Likewise messages; 0 for no limit.", ge(0))
    mailboxes: int = option(
        0, "How many mailboxes an account may have; 0 for any number.", ge(0)
    )
    mailbox_limits: tuple[str, ...] = option(
        (),
        "What single mailboxes of every account may hold, each with all below it, as "
        "`Lists: 1 GiB, 5000 messages`. What the source of an account, or an "
        "administrator, says of a mailbox counts instead.",
        Check(ALLOWED, _limits_readable),
        texts=True,
    )
    full: str = option(
        "temporary",
        "What senders are told of a full account: `temporary` (452 4.2.2; they, and "
        "our queue, try again until they give up) or `permanent` (552 5.2.2; mail goes "
        "back at once).",
        in_(("temporary", "permanent")),
    )
    warn_at: tuple[str, ...] = option(
        (),
        "Parts of a limit, as `80%`: who passes one gets a message, one for each time "
        "that it is passed. None are sent if there are none.",
        Check("texts like `80%`, from 1% to 100%", _percents_readable),
        texts=True,
    )
    warning: str = option(
        "",
        "File with the message that is sent, in UTF-8, which may begin with `Subject:` "
        "and an empty line; `$account`, `$mailbox`, `$percent`, `$held` and `$limit` "
        "are put in. A text in English if empty.",
        path=True,
    )
    set_by: tuple[str, ...] = option(
        (),
        "Accounts that may change limits over IMAP (SETQUOTA): their own, and as "
        "masters (`[[master]]`) those of the accounts that they log in as. Nobody if "
        "empty.",
        texts=True,
    )

    @property
    def full_status(self) -> str:
        """What senders are told of a full account (RFC 3463 §3.3)."""
        return "5.2.2" if self.full == "permanent" else "4.2.2"
