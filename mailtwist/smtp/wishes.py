"""What MAIL asked for, as far as the client may ask, with times of the epoch."""

from __future__ import annotations

from attrs import evolve

from ..config.model import Smtp
from ..delivery.model import NO_WISHES, DeliverBy, Wishes
from .command import Mail
from .faults import DeadlineTooSoon, HoldTooLong


def absolute(mail: Mail, config: Smtp, now_s: float, *, trusted: bool) -> Wishes:
    """The wishes of a message that is taken at `now_s`.

    Raises DeadlineTooSoon, HoldTooLong.  A priority over what the client may ask is
    lowered (RFC 6710); who is not `trusted` says nothing of logins (RFC 4954 §5).
    """
    wishes = mail.wishes
    if wishes is not NO_WISHES:
        most = config.priority if trusted else 0
        if wishes.priority > most:
            wishes = evolve(wishes, priority=most)
        if wishes.auth and not trusted:
            wishes = evolve(wishes, auth="")
    if mail.by is not None:
        by = mail.by
        if by.mode == "R" and by.by_s < config.deliver_by_s:
            raise DeadlineTooSoon()
        wishes = evolve(
            wishes, deliver_by=DeliverBy(now_s + by.by_s, by.mode, by.trace)
        )
    until = mail.hold_until_s
    if mail.hold_for_s is not None:
        until = now_s + mail.hold_for_s
    if until is not None:
        if until > now_s + config.hold_s:
            raise HoldTooLong()
        wishes = evolve(wishes, hold_until_s=until)
    return wishes
