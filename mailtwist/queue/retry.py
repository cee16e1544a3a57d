"""When a recipient is tried again, given up, or its sender told of the delay.

Pure: the time and the chance are given.
"""

from __future__ import annotations

from attrs import evolve

from ..config.queueing import Queue
from ..errors import MailError
from .model import Outcome, QueuedMessage, QueuedRecipient

SPREAD = 0.2  # of a delay; so that what failed together does not come back together


class Expired(MailError):
    """Delivery time over (RFC 3463 X.4.7)."""

    status, public = "5.4.7", "Could not be delivered in time"


def retry_after_s(config: Queue, attempts: int, chance: float) -> float:
    """Seconds to wait after `attempts` failed attempts (1 or more), at least.

    Doubles from first_retry_s to most_retry_s; `chance` in [0, 1) adds up to SPREAD.
    RFC 5321 §4.5.4.1 wants 30 minutes or more; we start sooner, as greylists pass in 5.
    """
    doubled = config.first_retry_s * 2.0 ** min(max(attempts - 1, 0), 32)
    return min(config.most_retry_s, doubled) * (1.0 + SPREAD * chance)


def ends_s(message: QueuedMessage) -> float:
    """When it is given up: its expiry, or the deadline of RFC 2852 in mode R."""
    by = message.wishes.deliver_by
    if by is not None and by.mode == "R":
        return min(message.expires_s, by.deadline_s)
    return message.expires_s


def over(message: QueuedMessage, now_s: float) -> bool:
    """True if a deadline of mode R is past, so that no attempt may be made."""
    by = message.wishes.deliver_by
    return by is not None and by.mode == "R" and now_s >= by.deadline_s


def after_failure(
    message: QueuedMessage,
    recipient: QueuedRecipient,
    outcome: Outcome,
    now_s: float,
    wait_s: float,
) -> QueuedRecipient | None:
    """The recipient after a temporary failure, due in `wait_s`; None if it has expired.

    The last attempt is made when the message expires, not before."""
    fault = outcome.fault or MailError()
    end_s = ends_s(message)
    if now_s >= end_s:
        return None
    return evolve(
        recipient,
        attempts=recipient.attempts + 1,
        due_s=min(now_s + wait_s, end_s),
        last_s=now_s,
        status=fault.status,
        reply=outcome.reply or fault.public,
        host=outcome.host,
    )


def delay_is_told(
    config: Queue, message: QueuedMessage, recipient: QueuedRecipient, now_s: float
) -> bool:
    """True if it is time for the delay notice: once, by age or by a deadline of mode N
    (RFC 2852)."""
    if recipient.delay_told:
        return False
    by = message.wishes.deliver_by
    if by is not None and by.mode == "N" and now_s >= by.deadline_s:
        return True
    since_s = max(message.arrived_s, message.wishes.hold_until_s)
    return 0 < config.delay_notice_s <= now_s - since_s


def expired(recipient: QueuedRecipient, outcome: Outcome) -> Outcome:
    """The last temporary outcome as the reason for giving up."""
    fault = outcome.fault or MailError()
    public = f"{Expired.public}; last: {fault.public}"
    return evolve(outcome, fault=Expired(public))
