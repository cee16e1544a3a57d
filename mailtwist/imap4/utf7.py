"""Modified UTF-7 of mailbox names (RFC 3501 §5.1.3), exact in both directions.

Every text has one form and every form one text: what `encode` would not have written is
refused, so two spellings can never mean one mailbox.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64

from ..errors import BadMailboxName

_SHIFTED = re.compile(r"[^ -~]+")
_SHIFT = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(text: str) -> bytes:
    """The wire's form; raises BadMailboxName for a lone surrogate."""
    try:
        return _SHIFTED.sub(_shift, text.replace("&", "&-")).encode("ascii")
    except UnicodeEncodeError as fault:
        raise BadMailboxName("Mailbox name is not valid Unicode") from fault


def decode(wire: bytes) -> str:
    """The text; raises BadMailboxName for anything `encode` does not write."""
    try:
        text = _SHIFT.sub(_unshift, wire).decode("utf-8")
        if encode(text) == wire:
            return text
    except (UnicodeError, Error):
        pass
    raise BadMailboxName("Mailbox name is not modified UTF-7")


def _shift(found: re.Match[str]) -> str:
    octets = b2a_base64(found[0].encode("utf-16-be"), newline=False)
    return "&" + octets.rstrip(b"=").replace(b"/", b",").decode() + "-"


def _unshift(found: re.Match[bytes]) -> bytes:
    octets = found[1].replace(b",", b"/")
    if not octets:
        return b"&"
    octets = a2b_base64(octets + b"=" * (-len(octets) % 4))
    return octets.decode("utf-16-be").encode("utf-8")
