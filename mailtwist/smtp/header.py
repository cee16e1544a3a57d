"""A look at the header of a message while it streams: loops, and what is missing.

A submitted message gets Date and Message-ID if it has none (RFC 6409 §8).  A message
that does not begin with a header field gets the empty line that ends its header, so
that the trace fields in front do not swallow its text.
"""

from __future__ import annotations

import re

from .faults import MailLoop

MOST_HEADER = 256 * 1024  # octets held back and looked at
MOST_RECEIVED = 100  # RFC 5321 §6.3

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_DATE = re.compile(rb"\ndate[ \t]*:")
_MESSAGE_ID = re.compile(rb"\nmessage-id[ \t]*:")


class HeaderLook:
    """Holds the header back until it is whole, then lets everything through.

    `missing` are the fields (date, message_id), each with its CRLF, to add where there
    is none; None adds nothing.  Of a header over the limit only that much is looked at.
    """

    def __init__(self, missing: tuple[bytes, bytes] | None = None) -> None:
        self._missing = missing
        self._held: list[bytes] = []
        self._octets = 0
        self._end_seen = b"\r\n"  # what is known to be held last, for the blank line
        self._passed = False

    def feed(self, octets: bytes) -> bytes:
        """What may go on, perhaps nothing yet; raises MailLoop."""
        if self._passed:
            return octets
        seam = self._end_seen + octets[:3]
        self._held.append(octets)
        self._octets += len(octets)
        if b"\r\n\r\n" in seam or b"\r\n\r\n" in octets or self._octets > MOST_HEADER:
            return self._release()
        self._end_seen = (self._end_seen + octets)[-3:]
        return b""

    def finish(self, octets: bytes = b"") -> bytes:
        """The rest, with the last octets of the message; raises MailLoop."""
        if self._passed:
            return octets
        self._held.append(octets)
        return self._release()

    def _release(self) -> bytes:
        self._passed = True
        held = b"".join(self._held)
        self._held.clear()
        text = held.startswith(b"\r\n")
        if not text and held and not _FIELD.match(held):
            text, held = True, b"\r\n" + held
        header = b"\n"
        if not text:
            end = held.find(b"\r\n\r\n")
            header += held[: end + 2 if end >= 0 else len(held)].lower()
        if header.count(b"\nreceived:") > MOST_RECEIVED:
            raise MailLoop()
        if self._missing is None:
            return held
        date, message_id = self._missing
        added = b"" if _DATE.search(header) else date
        if not _MESSAGE_ID.search(header):
            added += message_id
        return added + held
