"""APPEND up to its message (RFC 3501 §6.3.11)."""

from __future__ import annotations

import re

from ...flags import NONE
from ..types import Append
from .date import date_time
from .flag import flag_list
from .mailbox import mailbox
from .scanner import CommandScanner
from .strings import sp

_MESSAGE = re.compile(rb"\{([0-9]{1,18})(\+?)\}\r\n\Z")


def append(s: CommandScanner) -> Append:
    """mailbox [SP flag-list] [SP date-time] SP literal, without its octets."""
    sp(s)
    path = mailbox(s)
    sp(s)
    flags, internal_date = NONE, None
    if s.text.startswith(b"(", s.at):
        flags = flag_list(s)
        sp(s)
    if s.text.startswith(b'"', s.at):
        internal_date = date_time(s)
        sp(s)
    found = s.match(_MESSAGE, "a message as a literal")
    return Append(path, flags, internal_date, int(found[1]), not found[2])
