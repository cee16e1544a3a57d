"""`[mbox]`: mailboxes that are mbox files."""

from __future__ import annotations

from attrs import frozen

from .checks import ge, in_
from .option import option


@frozen(kw_only=True)
class Mbox:
    """Mailboxes that are files, /var/mail/USER for one."""

    quoting: str = option(
        "mboxrd",
        "How lines of a message that begin with `From ` are written: `mboxrd` (every "
        "message comes back octet by octet) or `mboxo` (as most programs do; such a "
        "line gets a `>` that stays). How a message is read is seen from itself.",
        in_(("mboxrd", "mboxo")),
    )
    lock_timeout_s: float = option(
        30.0,
        "How long a file that another program has locked is waited for; then delivery "
        "is tried again later, and a client is told to.",
        ge(1),
    )
