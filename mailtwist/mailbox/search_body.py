"""Search of bodies: which octets of a message to read, and the reading in pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import frozen

from ..mime.charset import ascii_inside
from ..mime.header import unfold
from ..mime.html_text import visible
from ..mime.parameters import decoded_parameter, parameter, token
from ..mime.part import Part
from ..mime.text import BodyDecoder, TransferDecoder, decoded_words
from .search_needle import Needle, header_text

PIECE = 1 << 16  # octets decoded at once; normalizing them takes some milliseconds
# An entity that may stand for more than signs and spaces, part of a letter even.
_ENTITY = re.compile(rb"&(?!(?:nbsp|amp|lt|gt|quot|#39|#160);)")
MOST_HTML = 1 << 17  # octets of HTML whose tags are taken out; of more, the source


@frozen
class Stretch:
    """Octets `start` to `start + count` of a message that hold text."""

    start: int
    count: int
    header: bool
    encoding: str = "7bit"
    charset: bytes = b""
    html: bool = False


@frozen
class Span:
    """Stretches that lie near each other, to be read at once."""

    start: int
    count: int
    stretches: list[Stretch]


def spans(where: Iterable[Stretch], most: int) -> list[Span]:
    """Stretches, in order, gathered to spans of up to `most` octets, or of one."""
    gathered: list[Span] = []
    for stretch in where:
        end = stretch.start + stretch.count
        if gathered and end - gathered[-1].start <= most:
            last = gathered.pop()
            last.stretches.append(stretch)
            gathered.append(Span(last.start, end - last.start, last.stretches))
        else:
            gathered.append(Span(stretch.start, stretch.count, [stretch]))
    return gathered


def stretches(message: Part, *, header: bool) -> Iterator[Stretch]:
    """Where text is: bodies of text and message parts, headers of messages inside.

    `header` (TEXT, not BODY): the message's own header too, and the headers of parts,
    which say "text/plain" in nearly every message and would be found in every body.
    RFC 3501 §6.4.4 lets other media types out.
    """
    waiting = [(message, header)]
    while waiting:
        part, read_header = waiting.pop()
        if read_header and part.header[1]:
            yield Stretch(*part.header, header=True)
        read_header = header or part.encapsulates
        waiting.extend((child, read_header) for child in reversed(part.children))
        leaf = part.body[1] and not part.children
        if leaf and part.media_type in ("text", "message"):
            charset = token(part.parameters, b"charset") or b""
            html = part.media_type == "text" and part.subtype == "html"
            yield Stretch(*part.body, False, part.encoding, charset, html)


def named(message: Part, needle: Needle) -> bool:
    """True if the name of an attachment has the needle, in any of its encodings."""
    for decoded, plain in names(message):
        if decoded is not None and needle.in_text(decoded):
            return True
        if plain is not None and needle.in_value(plain, plain.lower()):
            return True
    return False


def name_texts(message: Part) -> list[str]:
    """The texts that `named` looks into, before `normal`."""
    texts = []
    for decoded, plain in names(message):
        texts += [decoded or "", decoded_words(unfold(plain or b""))]
    return texts


def names(message: Part) -> Iterator[tuple[str | None, bytes | None]]:
    """The names of attachments, decoded and as they stand there."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        waiting += part.children
        if not part.parameters and not part.disposition:
            continue
        disposed = part.disposition[1] if part.disposition else ()
        for parameters, name in ((disposed, b"filename"), (part.parameters, b"name")):
            yield decoded_parameter(parameters, name), parameter(parameters, name)


class StretchSearch:
    """Looks for a needle in one stretch, fed in pieces of any size up to PIECE.

    Keeps as much of the text before a piece as a needle cut in two can need.
    """

    def __init__(self, needle: Needle, stretch: Stretch) -> None:
        self._needle, self._stretch = needle, stretch
        self._decoder = BodyDecoder(stretch.encoding, stretch.charset)
        self._tail = ""
        # A character becomes one or more when normalized, so this is enough; and some
        # for combining marks at the cut.
        self._overlap = len(needle.text) + 32

    def feed(self, octets: bytes, *, final: bool) -> bool:
        """True if the needle was found, in this piece or over its beginning."""
        text = self._tail + self._decoder.feed(octets, final=final)
        if self._needle.in_text(text):
            return True
        self._tail = text[-self._overlap :]
        return False


def in_shown(needle: Needle, stretch: Stretch, octets: bytes) -> bool:
    """True if the text that HTML shows has it: words over tags, entities, line ends."""
    if needle.plain or not stretch.html or stretch.count > MOST_HTML:
        return False
    octets = TransferDecoder(stretch.encoding).feed(octets, final=True)
    telling = ascii_inside(stretch.charset) and octets.isascii()
    if telling and not _ENTITY.search(octets):
        word = needle.octets is not None and needle.word in octets.lower()
        if not word:
            return False
    return needle.in_text(visible(_decoded(stretch, octets)))


def _decoded(stretch: Stretch, octets: bytes) -> str:
    return BodyDecoder("8bit", stretch.charset).feed(octets, final=True)


def stretch_text(stretch: Stretch, octets: bytes) -> list[str]:
    """The texts that `in_stretch` and `in_shown` look into, before `normal`."""
    if stretch.header:
        return [header_text(octets)]
    octets = TransferDecoder(stretch.encoding).feed(octets, final=True)
    text = _decoded(stretch, octets)
    if stretch.html and stretch.count <= MOST_HTML:
        return [text, visible(text)]
    return [text]


def in_stretch(needle: Needle, stretch: Stretch, octets: bytes) -> bool | None:
    """True or False if the needle is in these octets of a whole stretch.

    None if only decoded text can tell: search it in pieces.
    """
    if stretch.header:
        return needle.in_header(octets)
    if not ascii_inside(stretch.charset):
        return None
    if stretch.encoding in ("base64", "quoted-printable"):
        octets = TransferDecoder(stretch.encoding).feed(octets, final=True)
    if needle.octets is not None and needle.octets in octets.lower():
        return True
    return False if octets.isascii() else None
