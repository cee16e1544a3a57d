"""The end of a message and what may not be in it, found in bulk (RFC 5321 §4.1.1.4).

Only CRLF "." CRLF ends a message.  A bare CR, a bare LF, a NUL, a line over the limit
or a message over the limit is a fault, told when the true end has come: until then
octets are looked at and dropped, so that nothing behind a false end is ever a command.
"""

from __future__ import annotations

import re
from enum import Enum

from ..errors import BadMessage, MailError, MessageTooBig
from .faults import TextLineTooLong

END = b"\r\n.\r\n"
MOST_TEXT_LINE = 998  # octets without CRLF, RFC 5321 §4.5.3.1.6

_BARE_END = re.compile(rb"\n\.\r?\n")
_BARE_HELD = re.compile(rb"(?:\r?\n(?:\.\r?)?|\r)\Z")


class LineEnds(Enum):
    """What ends a line of the message."""

    STRICT = "CRLF; a bare LF is a fault"
    NORMALIZE = "CRLF; a bare LF is written as CRLF and ends nothing"
    BARE = "LF, with or without CR; the client ends its commands so too"


class ContentCheck:
    """What may not be in a message, looked for in its octets as they come.

    `binary` content may hold anything (RFC 3030 §3).  `octets` counts the content as
    SIZE does (RFC 1870 §5).
    """

    def __init__(
        self, most_octets: int, *, most_line: int = MOST_TEXT_LINE, binary: bool = False
    ) -> None:
        self.most_octets, self.most_line = most_octets, most_line
        self.octets = 0
        self._binary = binary
        self._line = 0  # octets of the line that the next content goes on with
        self._faults: set[str] = set()

    @property
    def fault(self) -> MailError | None:
        """What is wrong with the content so far; the gravest if more than one."""
        faults = self._faults
        if not faults:
            return None
        if "size" in faults:
            return MessageTooBig()
        if "nul" in faults:
            return BadMessage("Message has a NUL in it")
        if "cr" in faults:
            return BadMessage("Message has a CR without LF in it")
        if "lf" in faults:
            return BadMessage("Message has an LF without CR in it")
        return TextLineTooLong(f"A line is longer than {self.most_line} octets")

    @property
    def hopeless(self) -> bool:
        """True if nothing graver can be found: only the end is looked for."""
        return "size" in self._faults

    def take(self, content: bytes) -> bytes:
        """`content`, which ends no line by half, or b"" once there is a fault."""
        self.octets += len(content)
        if self.octets > self.most_octets:
            self._faults.add("size")
            return b""
        if self._binary:
            return content
        if b"\0" in content:
            self._faults.add("nul")
        joined = content.replace(b"\r\n", b"")
        if b"\n" in joined:
            self._faults.add("lf")
        if b"\r" in joined:
            self._faults.add("cr")
        if "line" not in self._faults and self._has_long_line(content):
            self._faults.add("line")
        return b"" if self._faults else content

    def _has_long_line(self, content: bytes) -> bool:
        """Steps from line end to line end, the longest step that the limit allows."""
        most = self.most_line + 2
        at, size, room = 0, len(content), most - self._line
        rfind = content.rfind
        while size - at >= room:
            end = rfind(b"\n", at, at + room)
            if end < 0:
                return True
            at, room = end + 1, most
        last = rfind(b"\n", at)
        self._line = (
            self._line + size if last < 0 and at == 0 else size - (last + 1 or at)
        )
        return self._line > self.most_line


class DataScanner:
    """Octets behind DATA in, the content of the message out, dots unstuffed.

    Any split of the input gives the same content, end and fault; content found before a
    fault may have been handed out already, so a taker waits for `fault` at the end.
    """

    def __init__(
        self,
        most_octets: int,
        *,
        most_line: int = MOST_TEXT_LINE,
        line_ends: LineEnds = LineEnds.STRICT,
    ) -> None:
        self.ended = False
        self.rest = b""  # octets behind the end
        self._check = ContentCheck(most_octets, most_line=most_line)
        self._line_ends = line_ends
        self._bare = line_ends is LineEnds.BARE
        self._held = b"\r\n"  # DATA's own line end, then what may begin the end
        self._virtual = 2  # octets in front that are not content

    @property
    def fault(self) -> MailError | None:
        """What is wrong with the content so far."""
        return self._check.fault

    @property
    def octets(self) -> int:
        """Of content so far."""
        return self._check.octets

    def feed(self, data: bytes) -> bytes:
        """The next content, b"" once there is a fault; `ended` tells of the end."""
        window = self._held + data if self._held else data
        if self._bare:
            found = _BARE_END.search(window)
            end, behind = (found.start() + 1, found.end()) if found else (-1, -1)
        else:
            end = window.find(END)
            if end >= 0:
                end, behind = end + 2, end + 5
        if end >= 0:
            self.ended = True
            self.rest, content, self._held = window[behind:], window[:end], b""
        else:
            hold = self._hold(window)
            cut = len(window) - hold
            content, self._held = window[:cut], window[cut:]
        return self._content(content) if content else b""

    def _hold(self, window: bytes) -> int:
        """How many last octets may belong to the end."""
        if self._bare:
            found = _BARE_HELD.search(window, max(0, len(window) - 4))
            return len(window) - found.start() if found else 0
        for size in (4, 3, 2, 1):
            if window.endswith(END[:size]):
                return size
        return 0

    def _content(self, content: bytes) -> bytes:
        if self._check.hopeless:
            return b""
        if self._bare:
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        content = content.replace(b"\r\n.", b"\r\n")
        if self._line_ends is LineEnds.NORMALIZE:
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if self._virtual:
            content, self._virtual = content[self._virtual :], 0
        return self._check.take(content)
