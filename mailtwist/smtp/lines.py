"""Command lines of an SMTP client, strict about their ends (RFC 5321 §2.3.8)."""

from __future__ import annotations

from ..errors import LineTooLong
from .faults import BareLineFeed

MOST_LINE = 12_288  # octets; AUTH and its responses, RFC 4954 §4


class CommandLines:
    """Octets in, whole lines out without their line end.

    A line ends in CRLF.  LF alone raises BareLineFeed, or with `lone_lf` ends a line
    too; `ended_bare` tells how the last one ended.  A line over `limit` octets costs
    one LineTooLong when its end has come, and never more than `limit` octets are kept.
    Any split of the input gives the same lines and faults.
    """

    def __init__(self, limit: int = MOST_LINE, *, lone_lf: bool = False) -> None:
        self.limit, self.lone_lf = limit, lone_lf
        self.ended_bare = False
        self._rest = bytearray()
        self._start = 0  # where the next line begins in _rest
        self._searched = 0  # octets of _rest known to hold no LF
        self._dropped = False  # the line lost octets: it is over the limit

    @property
    def pending(self) -> int:
        """Octets received and not yet handed out."""
        return len(self._rest) - self._start

    def feed(self, data: bytes) -> None:
        if self._start:
            del self._rest[: self._start]
            self._searched -= self._start
            self._start = 0
        self._rest += data

    def take_all(self) -> bytes:
        """Everything received and not yet handed out, for a reader of raw octets."""
        data = bytes(self._rest[self._start :])
        self.clear()
        return data

    def take(self, most: int) -> bytes:
        """Up to `most` octets not yet handed out, for a reader of counted octets."""
        start = self._start
        end = min(start + most, len(self._rest))
        with memoryview(self._rest) as view:
            data = bytes(view[start:end])
        self._start = end
        self._searched = max(self._searched, end)
        return data

    def clear(self) -> None:
        """Forget what was not handed out."""
        self._rest.clear()
        self._start = self._searched = 0
        self._dropped = False

    def next_line(self) -> bytes | None:
        """The next line, or None until more octets come; raises LineTooLong,
        BareLineFeed."""
        rest, start = self._rest, self._start
        end = rest.find(b"\n", max(start, self._searched))
        if end < 0:
            self._searched = len(rest)
            self._shorten()
            return None
        self._start = self._searched = end + 1
        dropped, self._dropped = self._dropped, False
        self.ended_bare = not (end > start and rest[end - 1] == 13)
        if self.ended_bare:
            if not self.lone_lf:
                raise BareLineFeed()
        else:
            end -= 1
        if dropped or end - start > self.limit:
            raise LineTooLong()
        return bytes(rest[start:end])

    def starts_with(self, octets: bytes) -> bool:
        """True if the line that is on its way begins so."""
        return self._rest.startswith(octets, self._start)

    def queued(self, most: int) -> list[bytes]:
        """Up to `most` complete lines that wait, left where they are."""
        lines: list[bytes] = []
        at = self._start
        while len(lines) < most and (end := self._rest.find(b"\r\n", at)) >= 0:
            lines.append(bytes(self._rest[at:end]))
            at = end + 2
        return lines

    def _shorten(self) -> None:
        """Drop what is over the limit, but for a CR that may belong to the line end."""
        if self.pending > self.limit + 1:
            self._dropped = True
            self._rest = self._rest[-1:]
            self._start, self._searched = 0, len(self._rest)
