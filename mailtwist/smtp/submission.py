"""What a submitted message lacks: Date and Message-ID (RFC 6409 §8), and loops.

Pure: octets of the message in, octets out.  The header is looked at while it streams;
one over the limit is left as it is.
"""

from __future__ import annotations

import re

from .faults import MailLoop

MOST_HEADER = 256 * 1024  # octets looked at
MOST_RECEIVED = 100  # RFC 5321 §6.3

_DATE = re.compile(rb"(?:\A|\n)date[ \t]*:", re.I)
_MESSAGE_ID = re.compile(rb"(?:\A|\n)message-id[ \t]*:", re.I)
_RECEIVED = re.compile(rb"(?:\A|\n)received[ \t]*:", re.I)


class HeaderLook:
    """Holds back the header until it is whole, then lets everything through.

    `missing` are the fields (with CRLF) to add if there is none: (date, message_id), or
    None to add nothing.
    """

    def __init__(self, missing: tuple[bytes, bytes] | None) -> None:
        self._missing = missing
        self._held = bytearray()
        self._passed = False

    def feed(self, octets: bytes) -> bytes:
        """What may go on; raises MailLoop."""
        if self._passed:
            return octets
        self._held += octets
        end = self._held.find(b"\r\n\r\n")
        if end < 0 and not self._held.startswith(b"\r\n"):
            if len(self._held) <= MOST_HEADER:
                return b""
            end = 0
        return self._release(0 if self._held.startswith(b"\r\n") else end)

    def finish(self) -> bytes:
        """The rest, at the end of the message."""
        return b"" if self._passed else self._release(len(self._held))

    def _release(self, end: int) -> bytes:
        self._passed = True
        held = bytes(self._held)
        self._held.clear()
        header = held[:end]
        if len(_RECEIVED.findall(header)) > MOST_RECEIVED:
            raise MailLoop()
        added = b""
        if self._missing is not None:
            date, message_id = self._missing
            if not _DATE.search(header):
                added += date
            if not _MESSAGE_ID.search(header):
                added += message_id
        return added + held
