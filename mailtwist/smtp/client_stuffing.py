"""The content of a message as it stands behind DATA (RFC 5321 §4.5.2)."""

from __future__ import annotations

import re

_LINE_ENDS = re.compile(rb"\r\n|\r|\n")


class DotStuffer:
    """Content in pieces of any size in, octets to send out.

    A bare CR or LF, which should not be there, becomes a line end: no two readers may
    disagree about where the message ends.
    """

    def __init__(self) -> None:
        self._line_start = True
        self._held = b""  # a CR whose LF may follow

    def feed(self, octets: bytes) -> bytes:
        if self._held:
            octets, self._held = self._held + octets, b""
        if octets.endswith(b"\r"):
            octets, self._held = octets[:-1], b"\r"
        if not octets:
            return b""
        ends = octets.count(b"\r\n")
        if octets.count(b"\n") != ends or octets.count(b"\r") != ends:
            octets = _LINE_ENDS.sub(b"\r\n", octets)
        stuffed = octets.replace(b"\r\n.", b"\r\n..")
        if self._line_start and octets.startswith(b"."):
            stuffed = b"." + stuffed
        self._line_start = octets.endswith(b"\r\n")
        return stuffed

    def finish(self) -> bytes:
        """What ends the message: the final dot, on a line of its own."""
        if self._held or not self._line_start:
            return b"\r\n.\r\n"
        return b".\r\n"
