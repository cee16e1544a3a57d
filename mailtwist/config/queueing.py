"""`[queue]`: mail that waits."""

from __future__ import annotations

from attrs import frozen

from .checks import ge
from .option import DAY_S, HOUR_S, MINUTE_S, option


@frozen(kw_only=True)
class Queue:
    """The queue of mail that waits."""

    first_retry_s: float = option(
        5 * MINUTE_S, "Wait after the first failed attempt; doubles with each.", ge(0.1)
    )
    most_retry_s: float = option(
        HOUR_S * 4 / 3, "Longest wait between two attempts.", ge(0.1)
    )
    expire_s: float = option(
        5 * DAY_S, "Age at which a message is returned (RFC 5321 §4.5.4.1).", ge(1)
    )
    bounce_expire_s: float = option(
        5 * DAY_S, "The same for reports, which have the null reverse-path.", ge(1)
    )
    delay_notice_s: float = option(
        4 * HOUR_S,
        "Age at which the sender is told of a delay once; 0 for never.",
        ge(0),
    )
    concurrency: int = option(20, "Attempts at once to one destination.", ge(1))
    first_concurrency: int = option(
        5, "Attempts at once to a destination that was not tried before.", ge(1)
    )
    attempts: int = option(100, "Attempts at once to all destinations.", ge(1))
    rate_s: float = option(
        0.0, "Least time between two messages to one destination.", ge(0)
    )
    recipients: int = option(
        50, "Recipients in one transaction, at most (RFC 5321 §4.5.3.1.8).", ge(1)
    )
    drop: str = option(
        "",
        "Folder into which the `sendmail` command drops messages, like "
        "`/var/spool/mailtwist`; everybody must be able to reach it. None if empty.",
        path=True,
    )
