"""Text of headers and bodies as people read it, for search and display.

Encoded words (RFC 2047), transfer encodings (RFC 2045 §6) and charsets are decoded;
what is broken is read as far as it goes.  Nothing here raises.
"""

from __future__ import annotations

import binascii
import re
import unicodedata

from .charset import decoded_octets, decoder

_WORD_START = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?")
_UNDERSCORE = bytes.maketrans(b"_", b" ")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = bytes(
    set(range(256))
    - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_LONGEST_LINE = 2048  # octets of quoted-printable kept back to see the end of a line


def normal(text: str) -> str:
    """`text` for comparing without case: like i;unicode-casemap (RFC 5051), folded.

    Compatibility forms are taken apart, so the needle and what it is looked for in must
    both go through here.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKD", folded)


def casemap(text: str) -> str:
    """`text` for putting in order: i;unicode-casemap (RFC 5051 §2).

    Each character in simple title case, then taken apart.
    """
    if text.isascii():
        return text.upper()
    cased = [title if len(title := one.title()) == 1 else one for one in text]
    return unicodedata.normalize("NFKD", "".join(cased))


def decoded_words(value: bytes) -> str:
    """An unfolded value with its encoded words decoded (RFC 2047 §6.1, §6.2).

    White space between adjacent words goes; words of one charset are decoded together,
    as some programs cut characters in two.  Raw 8-bit octets are UTF-8, else Latin-1.
    """
    if b"=?" not in value:
        return decoded_octets(value, b"")
    text: list[str] = []
    run, run_charset = bytearray(), b""  # the words not yet decoded
    at = 0  # everything before is told
    look = value.find(b"=?")
    while look >= 0:
        start = _WORD_START.match(value, look)
        end = value.find(b"?=", start.end()) if start else -1
        if start is None:
            look = value.find(b"=?", look + 2)
            continue
        if end < 0:
            break
        between = value[at:look]
        charset = start[1].partition(b"*")[0].lower()  # RFC 2231 §5: charset*language
        apart = between.strip(b" \t\r\n") or not (run or run_charset)
        if apart or charset != run_charset:
            text.append(decoded_octets(bytes(run), run_charset))
            run.clear()
            if apart:
                text.append(decoded_octets(between, b""))
        run_charset = charset
        run += _word(value[start.end() : end], start[2])
        at = end + 2
        look = value.find(b"=?", at)
    text.append(decoded_octets(bytes(run), run_charset))
    text.append(decoded_octets(value[at:], b""))
    return "".join(text)


def _word(octets: bytes, encoding: bytes) -> bytes:
    if encoding in b"bB":
        return TransferDecoder("base64").feed(octets, final=True)
    octets = octets.translate(_UNDERSCORE)
    return _HEX.sub(lambda found: bytes.fromhex(found[1].decode()), octets)


class TransferDecoder:
    """Takes a content transfer encoding off, piece by piece.

    Any split of the octets gives the same octets in the end.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._rest = b""

    def feed(self, octets: bytes, *, final: bool = False) -> bytes:
        if self._encoding == "base64":
            return self._base64(octets, final)
        if self._encoding == "quoted-printable":
            return self._quoted_printable(octets, final)
        return octets

    def _base64(self, octets: bytes, final: bool) -> bytes:
        octets = self._rest + octets.translate(None, _NOT_BASE64)
        done = []
        *padded, last = octets.split(b"=")  # padding inside: pieces put together
        for piece in padded:
            done.append(_quads(piece))
        keep = 0 if final else len(last) % 4
        self._rest = last[len(last) - keep :]
        done.append(_quads(last[: len(last) - keep]))
        return b"".join(done)

    def _quoted_printable(self, octets: bytes, final: bool) -> bytes:
        octets = self._rest + octets
        self._rest = b""
        if not final:
            end = octets.rfind(b"\n") + 1
            if len(octets) - end > _LONGEST_LINE:  # no line end in sight
                end = octets.rfind(b"=", len(octets) - 3)
                end = len(octets) if end < 0 else end
            octets, self._rest = octets[:end], octets[end:]
        return binascii.a2b_qp(octets)


def _quads(octets: bytes) -> bytes:
    """base64 without padding to octets; a lone last character means nothing."""
    left = len(octets) % 4
    if left == 1:
        octets = octets[:-1]
    elif left:
        octets += b"=="[: 4 - left]
    return binascii.a2b_base64(octets)


class BodyDecoder:
    """The text of a part's body, piece by piece.

    `encoding` is the transfer encoding in lower case, `charset` as the message has it.
    """

    def __init__(self, encoding: str, charset: bytes) -> None:
        self._transfer = TransferDecoder(encoding)
        self._decoder = decoder(charset)

    def feed(self, octets: bytes, *, final: bool = False) -> str:
        try:
            return self._decoder.decode(self._transfer.feed(octets, final=final), final)
        except UnicodeError:  # a codec that gives up in spite of "replace"
            self._decoder.reset()
            return "\ufffd"
