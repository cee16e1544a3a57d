"""`[agents]`: processes with the uid of accounts that have their own."""

from __future__ import annotations

from attrs import frozen

from .checks import ge
from .option import MINUTE_S, option


@frozen(kw_only=True)
class Agents:
    """Processes that read and write the files of system users, each as its user."""

    most: int = option(
        200,
        "At once, at most; an idle one ends for another, and if all have something "
        "open, further users are told to come again. Each takes some 26 MB of memory.",
        ge(1),
    )
    idle_s: float = option(
        5 * MINUTE_S, "One that nobody needed for this long ends.", ge(1)
    )
    spool_group: str = option(
        "mail",
        "Group that makes lock files, and a user's mbox where there is none, in a "
        "folder that asks for it, as /var/mail does; none if empty.",
    )
