"""A message that comes in counted chunks (RFC 3030 §2)."""

from __future__ import annotations

import re

from attrs import evolve, frozen

from ..errors import MailError
from ..wire import Scanner
from .command import Content, EndOfChunk, EndOfData, Event, Spoiled
from .data import ContentCheck
from .faults import BadChunk
from .lines import CommandLines

_SIZE = re.compile(rb"[ \t]+([0-9]{1,20})(?=[ \t]|\Z)")
_LAST = re.compile(rb"[ \t]+LAST(?=[ \t]|\Z)", re.I)
_SP = re.compile(rb"[ \t]*\Z")


@frozen
class Chunk:
    """The arguments of BDAT."""

    octets: int
    last: bool


def bdat(s: Scanner) -> Chunk:
    """SP chunk-size [SP end-marker].

    Raises BadChunk, which ends the connection: nobody knows how many octets follow that
    are no commands.
    """
    size = s.try_match(_SIZE)
    last = s.try_match(_LAST) if size else None
    if size is None or not s.try_match(_SP):
        raise BadChunk()
    return Chunk(int(size[1]), last is not None)


_URL = re.compile(rb"[ \t]+([!-~]+)(?=[ \t]|\Z)")


def burl(s: Scanner) -> tuple[bytes, bool]:
    """SP absolute-URI [SP end-marker] (RFC 4468 §3.5): the URL, and whether it is the
    last chunk."""
    url = s.match(_URL, "a URL")[1]
    last = s.try_match(_LAST)
    s.match(_SP, "LAST, or the end of the line")
    return url, last is not None


class Chunks:
    """The chunks of one message: octets in, events out.

    Text that does not end with CRLF gets it, as every line of a message has one
    (RFC 5322 §2.1); `binary` content stays as it is.  Any split of the octets gives the
    same content.
    """

    def __init__(self, most_octets: int, *, most_line: int, binary: bool) -> None:
        self.open = False  # octets of a chunk come
        self._chunk, self._left = Chunk(0, False), 0
        self._check = ContentCheck(most_octets, most_line=most_line, binary=binary)
        self._binary = binary
        self._unwanted: MailError | None = None
        self._read = self._spoiled = False  # all octets are there; a fault was told
        self._held = b""  # a CR that may belong to a line end
        self._end = b""  # the last octets handed out

    @property
    def fault(self) -> MailError | None:
        """What is wrong with the content, or why it is not wanted: octets are only
        counted from then on."""
        return self._unwanted or self._check.fault

    def begin(self, chunk: Chunk) -> None:
        """The next chunk."""
        self._chunk, self._left, self.open = chunk, chunk.octets, True
        self._read = False

    def begin_url(self, *, last: bool) -> None:
        """The next chunk comes from elsewhere, by `url_octets` until `end_url`."""
        self.begin(Chunk(0, last))

    def url_octets(self, octets: bytes) -> bytes:
        """Some octets of that chunk: the content in them."""
        self._chunk = evolve(self._chunk, octets=self._chunk.octets + len(octets))
        self._left = len(octets) + 1  # there may be more
        return self._feed(octets)

    def end_url(self, fault: MailError | None) -> bytes:
        """That was all of it, or why there is no more: the last of the content."""
        if fault is not None:
            self.refuse(fault)
        self._left, self._read = 0, True
        return self._feed(b"")

    def end(self) -> None:
        """The chunk was answered."""
        self.open = False

    def refuse(self, fault: MailError) -> None:
        """Nothing more of this message is taken; `fault` says why from now on."""
        self._unwanted = fault

    def next_event(self, lines: CommandLines) -> Event | None:
        """Content, or the end of the chunk in hand, from the octets in `lines`."""
        if not self._read:
            octets = lines.take(self._left)
            if self._left and not octets:
                return None
            content = self._feed(octets)
            self._read = not self._left
            if self._read and self._chunk.last:
                return EndOfData(content, self.fault)
            if content:
                return Content(content)
            if self.fault is not None and not self._spoiled:
                self._spoiled = True
                return Spoiled()
            if not self._read:
                return None
        elif self._chunk.last:  # of a URL, whose content is taken
            return EndOfData(b"", self.fault)
        return EndOfChunk(self._chunk.octets, self.fault)

    def _feed(self, octets: bytes) -> bytes:
        """The content in these octets."""
        self._left -= len(octets)
        if self._unwanted is not None or self._check.hopeless:
            return b""
        if self._binary:
            return self._check.take(octets)
        octets, self._held = self._held + octets, b""
        if self._left or not self._chunk.last:
            if octets.endswith(b"\r"):
                octets, self._held = octets[:-1], b"\r"
        elif (end := (self._end + octets)[-2:]) and end != b"\r\n":
            octets += b"\r\n"
        if not octets:
            return b""
        self._end = (self._end + octets)[-2:]
        return self._check.take(octets)
