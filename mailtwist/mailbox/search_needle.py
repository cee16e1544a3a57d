"""What is looked for, and the quick ways to see that it is not there."""

from __future__ import annotations

import re

from ..mime.header import unfold, unfold_all
from ..mime.text import decoded_words, normal

_WORD = re.compile(rb"[0-9a-z]+")
_BARE_CR = re.compile(rb"\r++(?!\n)")


def header_text(header: bytes) -> str:
    """A whole raw header, each field decoded by itself and on one line."""
    lines = _BARE_CR.sub(b" ", unfold_all(header)).split(b"\n")
    return "\n".join(map(decoded_words, lines))


class Needle:
    """A string to find in decoded text without regard to case.

    `octets` is its lower-case ASCII, or None if it has other characters.  In pure
    ASCII without encoded words a search of lower-case octets is exact.
    """

    __slots__ = ("_word", "octets", "plain", "spaced", "text", "word")

    def __init__(self, text: str) -> None:
        self.text = normal(text)
        self.octets = self.text.encode() if self.text.isascii() else None
        # Its longest word is on one line wherever the rest is folded to.
        self._word = max((self.octets or b"").split(), key=len, default=b"")
        # Of ASCII letters and digits alone, as its longest word here is.
        self.plain = self.octets is not None and self.octets.isalnum()
        self.word = max(_WORD.findall(self.octets or b""), key=len, default=b"")
        self.spaced = any(space in self.text for space in " \t\r\n")

    def in_text(self, text: str) -> bool:
        return self.text in normal(text)

    def in_value(self, value: bytes, lower: bytes) -> bool:
        """True if a raw field value has it; `lower` is the value in lower case."""
        if b"=?" not in lower and lower.isascii():
            if self.octets is None:
                return False
            return self.octets in (unfold(lower) if self.spaced else lower)
        return self.in_text(decoded_words(unfold(value)))

    def in_header(self, header: bytes) -> bool:
        """True if a whole raw header has it, in names, values or over folded lines."""
        lower = header.lower()
        if self.absent(lower):
            return False
        if b"=?" not in lower and lower.isascii():
            if self.octets is None:
                return False
            return self.octets in _BARE_CR.sub(b" ", unfold_all(lower))
        return self.in_text(header_text(header))

    @property
    def least(self) -> bytes:
        """What every header in plain ASCII that has it has in one piece, in lower case;
        b"" if nothing can be said."""
        return b"\xff" if self.octets is None else self._word

    def absent(self, lower: bytes) -> bool:
        """True if no field of this header (in lower case) can have it."""
        if b"=?" in lower or not lower.isascii():
            return False
        return self.octets is None or self._word not in lower
