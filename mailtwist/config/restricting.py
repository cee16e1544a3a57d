"""`[restrictions]`: what a client must keep to."""

from __future__ import annotations

from attrs import frozen

from .checks import ge
from .option import option


@frozen(kw_only=True)
class Restrictions:
    """What a client must keep to; Postfix's smtpd_*_restrictions."""

    helo_required: bool = option(True, "MAIL only after HELO or EHLO.")
    messages_per_minute: int = option(
        0, "Messages from one client address in a minute; 0 for no limit.", ge(0)
    )
