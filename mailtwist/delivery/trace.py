"""The fields that local delivery puts in front of each recipient's copy."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache

from ..config.model import Delivery
from .model import Envelope, LocalRecipient


def delivery_prefixes(
    envelope: Envelope,
    recipients: Sequence[LocalRecipient],
    config: Delivery,
    now_s: float,
) -> list[bytes]:
    """What stands before the message in each recipient's copy, each line with CRLF.

    Return-Path (RFC 5321 §4.4), Delivered-To, Delivery-Date, then the trace of the
    envelope; nothing before one that is taken `as_is`.  `now_s` is seconds since 1970.
    All but Delivered-To is made once.
    """
    utf8 = envelope.smtputf8
    sender = envelope.reverse_path
    path = b"" if sender is None else sender.encode(utf8=utf8)
    before = b"Return-Path: <%s>\r\n" % path
    after = envelope.trace
    if config.delivery_date:
        after = b"Delivery-Date: %s\r\n" % date_time(int(now_s)) + after
    if not config.delivered_to:
        return [b"" if each.as_is else before + after for each in recipients]
    return [
        b""
        if recipient.as_is
        else b"%sDelivered-To: %s\r\n%s"
        % (before, recipient.address.encode(utf8=utf8), after)
        for recipient in recipients
    ]


@lru_cache(maxsize=4)
def date_time(second: int) -> bytes:
    """date-time (RFC 5322 §3.3) in local time; the same for all of a second."""
    return formatdate(second, localtime=True).encode()
