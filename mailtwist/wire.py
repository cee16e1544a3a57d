"""Octets to lines and tokens; no I/O."""

from __future__ import annotations

import re

from .errors import LineTooLong, SyntaxFault


class LineFramer:
    """Octets in, whole lines out without their line end.

    Any split of the input gives the same lines.  A line over `limit` octets (line end
    not counted) costs one LineTooLong and nothing else: the next line is read as
    usual, and never more than `limit` octets of a line are kept.  With `lone_lf` a bare
    LF ends a line too (a CR before it is dropped); otherwise only CRLF does, and a bare
    CR or LF stays in the line for the grammar to refuse.
    """

    def __init__(self, limit: int, *, lone_lf: bool = False) -> None:
        self.limit, self.lone_lf = limit, lone_lf
        self._rest, self._skipping = bytearray(), False
        self._searched = 0  # octets of _rest known to hold no line end

    @property
    def pending(self) -> int:
        """Octets received and not yet handed out."""
        return len(self._rest)

    def feed(self, data: bytes) -> None:
        self._rest += data

    def take_all(self) -> bytes:
        """Everything received and not yet handed out, for a reader of raw octets."""
        data = bytes(self._rest)
        self._rest.clear()
        self._searched = 0
        return data

    def next_line(self) -> bytes | None:
        """The next line, or None until more octets come; raises LineTooLong."""
        while True:
            end = self._rest.find(b"\n" if self.lone_lf else b"\r\n", self._searched)
            if end < 0:
                self._wait()
                return None
            if self.lone_lf:
                after = end + 1
                if end and self._rest[end - 1] == 13:
                    end -= 1
            else:
                after = end + 2
            skipped, self._skipping = self._skipping, False
            too_long = end > self.limit
            line = b"" if skipped or too_long else bytes(self._rest[:end])
            del self._rest[:after]
            self._searched = 0
            if skipped:
                continue
            if too_long:
                raise LineTooLong()
            return line

    def _wait(self) -> None:
        """No line end yet: keep what may begin one, drop what is over the limit."""
        if len(self._rest) <= self.limit + 1:  # a last CR may belong to the line end
            self._searched = max(0, len(self._rest) - 1)
            return
        del self._rest[: -1 if self._rest.endswith(b"\r") else len(self._rest)]
        self._searched = 0
        if not self._skipping:
            self._skipping = True
            raise LineTooLong()


class Scanner:
    """A cursor over one command; every miss says what was expected and where."""

    def __init__(self, text: bytes, at: int = 0) -> None:
        self.text, self.at = text, at

    @property
    def done(self) -> bool:
        return self.at >= len(self.text)

    def match(self, rule: re.Pattern[bytes], name: str) -> re.Match[bytes]:
        """The match of `rule` here, the cursor behind it; raises SyntaxFault."""
        found = rule.match(self.text, self.at)
        if not found:
            raise SyntaxFault(name, self.at)
        self.at = found.end()
        return found

    def try_match(self, rule: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """The match of `rule` here and the cursor behind it, or None and no move."""
        found = rule.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def skip(self, octets: bytes) -> bool:
        """True and the cursor behind `octets` if they come next."""
        if self.text.startswith(octets, self.at):
            self.at += len(octets)
            return True
        return False

    def expect(self, octets: bytes, name: str) -> None:
        if not self.skip(octets):
            raise SyntaxFault(name, self.at)

    def end(self) -> None:
        """Nothing may follow."""
        if not self.done:
            raise SyntaxFault("end of command", self.at)
