"""BINARY of a part: its octets without their transfer encoding (RFC 3516 §4.3).

A part is decoded in pieces from its start.  Where the last piece ended is kept by the
session, so that a client that reads a large part in windows does not have it decoded
from the start for each.
"""

from __future__ import annotations

from attrs import define, field

from ...errors import UnknownEncoding
from ...mailbox.interfaces import IMailbox
from ...mailbox.model import Range
from ...mime.part import Part
from ...mime.text import TransferDecoder

READ_OCTETS = 128 * 1024  # of the encoded part at once
IDENTITY = frozenset({"7bit", "8bit", "binary"})
KNOWN = frozenset({"base64", "quoted-printable"})


def encoding_of(part: Part | None) -> str:
    """What to take off the body of `part`, "" if it stands there as it is.

    Parts that hold other parts have none (RFC 2045 §6.4).  Raises UnknownEncoding.
    """
    if part is None or part.children or part.encoding in IDENTITY:
        return ""
    if part.encoding not in KNOWN:
        raise UnknownEncoding()
    return part.encoding


@define
class DecodedPart:
    """The octets of one encoded part; None from its methods: the message is gone."""

    mailbox: IMailbox
    place: Range
    encoding: str
    _decoder: TransferDecoder = field(init=False)
    _read: int = field(init=False)  # octets of the part that the decoder has
    _at: int = field(init=False)  # octets decoded before `_held`
    _held: bytes = field(init=False)
    _size: int | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._decoder = TransferDecoder(self.encoding)
        self._read = self._at = 0
        self._held = b""

    async def size(self) -> int | None:
        """How many octets it has; the first time all of it is decoded."""
        if self._size is None:
            while (more := await self._more()) is not False:
                if more is None:
                    return None
                self._at, self._held = self._at + len(self._held), b""
        return self._size

    async def window(self, start: int, count: int) -> bytes | None:
        """Octets `start` to `start + count`, fewer at the end."""
        if start < self._at:
            self._start()
        found = bytearray()
        while len(found) < count:
            skipped = min(start + len(found) - self._at, len(self._held))
            taken = self._held[skipped : skipped + count - len(found)]
            found += taken
            self._at += skipped + len(taken)
            self._held = self._held[skipped + len(taken) :]
            if len(found) == count:
                break
            more = await self._more()
            if more is None:
                return None
            if more is False:
                break
        return bytes(found)

    async def _more(self) -> bool | None:
        """Decode the next piece behind `_held`; False at the end, None if it went."""
        total = self.place.count or 0
        if self._read == total:
            self._size = self._at + len(self._held)
            return False
        count = min(READ_OCTETS, total - self._read)
        place = Range(self.place.uid, self.place.start + self._read, count)
        (octets,) = await self.mailbox.octets([place])
        if not octets:
            return None
        self._read += len(octets)
        self._held += self._decoder.feed(octets, final=self._read == total)
        return True
