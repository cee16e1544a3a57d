"""Mailbox names on the wire <-> `mailbox.model.Path`, and LIST's wildcards.

A component may hold the delimiter itself (a folder made when the other delimiter was in
use, or by another program).  On the wire such a delimiter stands as "\\2f" ("\\2e" for
"."), and a component that reads like that by itself gets one "5c" more, so names and
paths are one to one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ..errors import BadMailboxName, MailboxNameLimit
from ..mailbox.model import MOST_LEVELS, MOST_NAME, Path
from . import utf7

MOST_COMPONENT = 255  # octets in UTF-8

# Controls, line and paragraph separators, surrogates, non-characters of the BMP.
_REFUSED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_DECODED = {d: re.compile(rf"\\((?:5c)*){ord(d):02x}") for d in "/."}
_ENCODED = {d: re.compile(rf"\\((?:5c)*){ord(d):02x}|{re.escape(d)}") for d in "/."}


def path_of(wire: bytes, delimiter: str = "/", *, utf8: bool = False) -> Path:
    """The path a name means; raises BadMailboxName.

    INBOX as first component is taken in any case (§5.1).  `utf8`: the name is UTF-8
    (RFC 6855), not modified UTF-7.
    """
    return split(text_of(wire, utf8=utf8), delimiter)


def text_of(wire: bytes, *, utf8: bool = False) -> str:
    """A name or pattern decoded, not yet split; raises BadMailboxName."""
    if len(wire) > 8 * MOST_NAME:
        raise BadMailboxName("Mailbox name is too long")
    if not utf8:
        return utf7.decode(wire)
    try:
        return wire.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise BadMailboxName("Mailbox name is not UTF-8") from fault


def split(text: str, delimiter: str) -> Path:
    """The path of a decoded name; raises BadMailboxName."""
    if _REFUSED.search(text):
        raise BadMailboxName("Mailbox name holds a control character")
    octets = text.encode("utf-8")
    if len(octets) > MOST_NAME:
        raise BadMailboxName("Mailbox name is too long")
    escaped = _DECODED[delimiter]
    path = tuple(
        escaped.sub(lambda found: _unescape(found, delimiter), part)
        for part in text.split(delimiter)
    )
    if not all(path):
        raise BadMailboxName("Mailbox name has an empty component")
    if len(path) > MOST_LEVELS:
        raise BadMailboxName("Mailbox name has too many levels")
    if path[0].upper() == "INBOX":
        path = ("INBOX", *path[1:])
    return _bounded(path)


def _bounded(path: Path) -> Path:
    if any(len(part.encode("utf-8")) > MOST_COMPONENT for part in path):
        raise BadMailboxName("A component of the mailbox name is too long")
    return path


def nfc(path: Path) -> Path:
    """`path` in Normalization Form C, as names are made (RFC 9051 §5.1).

    Raises BadMailboxName for one that gets too long by that.
    """
    if all(part.isascii() for part in path):
        return path
    return _bounded(tuple(unicodedata.normalize("NFC", part) for part in path))


def check_limits(path: Path, delimiter: str, *, levels: int, octets: int) -> None:
    """Raises MailboxNameLimit for a name that is not to be made."""
    if len(path) > levels:
        raise MailboxNameLimit(f"Mailbox names have at most {levels} levels")
    if len(join(path, delimiter).encode("utf-8", "surrogatepass")) > octets:
        raise MailboxNameLimit(f"Mailbox names have at most {octets} octets")


def join(path: Path, delimiter: str) -> str:
    """The decoded name of a path; `split` gives the path back."""
    escaped = _ENCODED[delimiter]
    return delimiter.join(
        escaped.sub(lambda found: _escape(found, delimiter), part) for part in path
    )


def wire_of(path: Path, delimiter: str = "/", *, utf8: bool = False) -> bytes:
    """The name of a path on the wire, not yet an astring (`response.astring`)."""
    text = join(path, delimiter)
    return text.encode("utf-8") if utf8 else utf7.encode(text)


def _unescape(found: re.Match[str], delimiter: str) -> str:
    return "\\" + found[0][3:] if found[1] else delimiter


def _escape(found: re.Match[str], delimiter: str) -> str:
    if found[0] == delimiter:
        return f"\\{ord(delimiter):02x}"
    return "\\5c" + found[0][1:]


class Matcher:
    """The names that LIST's reference and patterns mean (§6.3.8).

    A pattern is read behind the reference, or alone if it starts with the delimiter.
    "*" is any text, "%" any text without the delimiter.  Patterns and names are
    compared in Normalization Form C.  `everything`: no name is left out.
    """

    def __init__(
        self, reference: str, patterns: Iterable[str], delimiter: str = "/"
    ) -> None:
        self.delimiter = delimiter
        joined = [_interpreted(reference, p, delimiter) for p in patterns]
        self._patterns = [_Pattern(p, delimiter) for p in joined]
        self.everything = "*" in joined
        self._inbox = any(_Pattern(p.upper(), delimiter).fits("INBOX") for p in joined)

    def matches(self, path: Path) -> bool:
        return self.fits(comparable(path, self.delimiter))

    def fits(self, name: str) -> bool:
        """As `matches`, of what `comparable` gave."""
        if name == "INBOX":
            return self._inbox
        return any(pattern.fits(name) for pattern in self._patterns)


def comparable(path: Path, delimiter: str) -> str:
    """A name as a Matcher reads it."""
    return join(nfc(path), delimiter)


_WILDCARDS = re.compile(r"[*%]{2,}")


def _interpreted(reference: str, pattern: str, delimiter: str) -> str:
    """One canonical pattern; raises BadMailboxName for one that is too long."""
    whole = pattern if pattern.startswith(delimiter) else reference + pattern
    whole = unicodedata.normalize("NFC", whole)
    whole = _WILDCARDS.sub(lambda run: "*" if "*" in run[0] else "%", whole)
    if len(whole) > 2 * MOST_NAME:
        raise BadMailboxName("Pattern is too long")
    prefix = whole[:6].upper()
    if prefix[:5] == "INBOX" and prefix[5:] in ("", delimiter, "*", "%"):
        whole = "INBOX" + whole[5:]
    return whole


class _Pattern:
    """One of them.  Where "*" and "%" stand together it costs a step per octet of the
    name whatever the pattern: all places in it are one integer, in which bit i is set
    if the first i tokens have been matched."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._text, self._delimiter = text, delimiter
        self._pieces: list[str] | None = None  # between "*"
        self._levels: list[list[str]] | None = None  # the same between "%", by level
        if "%" not in text:
            self._pieces = text.split("*")
        elif "*" not in text:
            levels = text.split(delimiter)
            self._levels = [level.split("%") for level in levels]
        self._places: dict[str, int] = {}
        self._any = self._level = 0
        for at, letter in enumerate(text):
            if letter == "*":
                self._any |= 1 << at
            elif letter == "%":
                self._level |= 1 << at
            else:
                self._places[letter] = self._places.get(letter, 0) | 1 << at
        self._wild = self._any | self._level
        self._end = 1 << len(text)

    def fits(self, name: str) -> bool:
        if self._pieces is not None:
            return _in_order(self._pieces, name)
        if self._levels is not None:
            levels = name.split(self._delimiter)
            return len(levels) == len(self._levels) and all(
                map(_in_order, self._levels, levels)
            )
        places, wild, anything = self._places, self._wild, self._any
        state = 1
        state |= (state & wild) << 1
        for letter in name:
            stay = anything if letter == self._delimiter else wild
            state = (state & places.get(letter, 0)) << 1 | state & stay
            if not state:
                return False
            state |= (state & wild) << 1  # wildcards never stand side by side
        return bool(state & self._end)


def _in_order(pieces: list[str], text: str) -> bool:
    """True if `text` is these pieces with anything in between."""
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
