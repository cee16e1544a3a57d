"""Messages on their way to a client, in chunks of any size; no per-line work."""

from __future__ import annotations

import re
from binascii import b2a_base64

_WORD = rb"[^\x00-\x20]*[\x80-\xff][^\x00-\x20]*"
_WORD = rb"[\x21-\x7f]*[\x80-\xff][^\x00-\x20]*"  # a word with an octet over 127
_WORDS = re.compile(rb"(?<![^\x00-\x20])" + _WORD + rb"(?: +" + _WORD + rb")*")
_SPECIALS = b'"(),.:;<>@[\\]'
MOST_ENCODED = 45  # octets in one encoded-word: 60 in base64, 75 with its frame


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


def ascii_header(octets: bytes) -> bytes:
    """The beginning of a message with its header in ASCII (RFC 6856 §2.1).

    Words of UTF-8 become encoded-words (RFC 2047), so that a client that did not ask
    for UTF-8 can show them.  A header that is not UTF-8 stays as it is: it is old mail
    with raw octets, which such clients know.  `octets` holds the whole header.
    """
    end = octets.find(b"\r\n\r\n")
    header, rest = (octets, b"") if end < 0 else (octets[:end], octets[end:])
    if header.isascii():
        return octets
    try:
        header.decode()
    except UnicodeDecodeError:
        return octets
    return _WORDS.sub(_encoded, header) + rest


def _encoded(found: re.Match[bytes]) -> bytes:
    """Encoded-words for a run of words; ASCII punctuation around them stays."""
    run = found[0]
    bare = run.strip(_SPECIALS)
    start = run.index(bare)
    words = []
    text = bare.decode()
    piece = b""
    for character in text:
        octets = character.encode()
        if len(piece) + len(octets) > MOST_ENCODED:
            words.append(piece)
            piece = b""
        piece += octets
    words.append(piece)
    encoded = b"\r\n ".join(
        b"=?utf-8?B?" + b2a_base64(word, newline=False) + b"?=" for word in words
    )
    return run[:start] + encoded + run[start + len(bare) :]
