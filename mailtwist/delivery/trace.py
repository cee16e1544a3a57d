"""The fields that local delivery puts in front of each recipient's copy."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache

from ..config.model import Delivery
from .model import Envelope, LocalRecipient


def delivery_fields(
    envelope: Envelope, recipient: LocalRecipient, config: Delivery, now_s: float
) -> bytes:
    """Return-Path (RFC 5321 §4.4), Delivered-To, Delivery-Date, each with its CRLF."""
    utf8 = envelope.smtputf8
    sender = envelope.reverse_path
    path = b"" if sender is None else sender.encode(utf8=utf8)
    fields = b"Return-Path: <%s>\r\n" % path
    if config.delivered_to:
        fields += b"Delivered-To: %s\r\n" % recipient.address.encode(utf8=utf8)
    if config.delivery_date:
        fields += b"Delivery-Date: %s\r\n" % date_time(int(now_s))
    return fields


@lru_cache(maxsize=4)
def date_time(second: int) -> bytes:
    """date-time (RFC 5322 §3.3) in local time; the same for all of a second."""
    return formatdate(second, localtime=True).encode()
