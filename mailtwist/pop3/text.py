"""Messages on their way to a client, in chunks of any size; no per-line work."""

from __future__ import annotations


class DotStuffer:
    """Dot-stuffing (RFC 1939 §3) that does not care where chunks are cut."""

    def __init__(self) -> None:
        self._line_start = True

    def stuff(self, chunk: bytes) -> bytes:
        if not chunk:
            return chunk
        first = self._line_start and chunk.startswith(b".")
        self._line_start = chunk.endswith(b"\n")
        stuffed = chunk.replace(b"\n.", b"\n..")
        return b"." + stuffed if first else stuffed

    def end(self) -> bytes:
        """The final line end if the message lacks it, and the dot."""
        return b".\r\n" if self._line_start else b"\r\n.\r\n"


class TopCutter:
    """Header, blank line and the first `lines` lines of the body (RFC 1939 §7).

    `done` is True when nothing more of the message is wanted.
    """

    def __init__(self, lines: int) -> None:
        self.done = False
        self._left, self._in_header = lines, True
        self._tail = b"\r\n"  # the header may be empty: a blank line comes first

    def cut(self, chunk: bytes) -> bytes:
        """The part of this chunk that is wanted."""
        start = 0
        if self._in_header:
            start = self._header_end(chunk)
            if start < 0:
                return chunk
            self._in_header = False
        end = self._body_end(chunk, start)
        return chunk if end == len(chunk) else chunk[:end]

    def _header_end(self, chunk: bytes) -> int:
        """Where the body begins in `chunk`, or -1 if that is not here."""
        kept = len(self._tail)
        around = (self._tail + chunk[:3]).find(b"\r\n\r\n")
        if around >= 0:
            return around + 4 - kept
        found = chunk.find(b"\r\n\r\n")
        if found >= 0:
            return found + 4
        self._tail = (self._tail + chunk)[-3:] if len(chunk) < 3 else chunk[-3:]
        return -1

    def _body_end(self, chunk: bytes, start: int) -> int:
        lines = chunk.count(b"\n", start)
        if lines < self._left:
            self._left -= lines
            return len(chunk)
        self.done = True
        if not self._left:
            return start
        rest = chunk[start:].split(b"\n", self._left)[-1]
        return len(chunk) - len(rest)
