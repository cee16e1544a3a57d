"""Both directions of COMPRESS=DEFLATE (RFC 4978): raw DEFLATE (RFC 1951),
flushed per write.

What is written can be read at once.  What comes in is given out in bounded pieces, so
that a small piece of input that stands for a very large one costs its sender only.
"""

from __future__ import annotations

import zlib
from typing import Any

from ..errors import MailError

# Measured on answers to FETCH: a smaller window is faster and 1% larger, and higher
# levels gain 2% for twice the time.
LEVEL, WINDOW_BITS, MEMORY_LEVEL = 2, 13, 8
MOST_PIECE = 64 * 1024  # octets given out at a time


class BadCompression(MailError):
    """What the client sent is no DEFLATE stream; the connection cannot go on."""

    public = "Compressed data is damaged"


class Deflater:
    """Octets to what goes on the wire.

    The dictionary takes some 90 KiB; `rest` gives it back while there is nothing to
    say.  The other side sees nothing of that, as each write ends at an octet.
    """

    def __init__(self) -> None:
        self._stream: Any = None

    def write(self, octets: bytes) -> bytes:
        stream = self._stream
        if stream is None:
            stream = self._stream = zlib.compressobj(
                LEVEL, zlib.DEFLATED, -WINDOW_BITS, MEMORY_LEVEL
            )
        start: bytes = stream.compress(octets)
        end: bytes = stream.flush(zlib.Z_SYNC_FLUSH)
        return start + end

    def rest(self) -> None:
        """Nothing is written for a while."""
        self._stream = None

    @property
    def rests(self) -> bool:
        return self._stream is None

    def end(self) -> bytes:
        """The end of the stream; nothing may be written behind it."""
        stream, self._stream = self._stream, None
        last: bytes = (stream or zlib.compressobj(wbits=-WINDOW_BITS)).flush()
        return last


class Inflater:
    """What came over the wire to octets, at most MOST_PIECE at a time."""

    def __init__(self) -> None:
        self._stream: Any = zlib.decompressobj(-zlib.MAX_WBITS)
        self._held = bytearray()  # not yet inflated

    @property
    def pending(self) -> int:
        """Octets of the wire that wait; 0 if nothing may come of them.

        What stands behind the end of the stream does not count, nor what zlib holds:
        it is given out with the next octets at the latest.
        """
        return 0 if self._stream.eof else len(self._held) + self._full

    _full = 0  # 1 if the last piece was cut by its limit

    def feed(self, data: bytes) -> None:
        self._held += data

    def take(self) -> bytes:
        """The next octets, b"" if more must come first; raises BadCompression."""
        if self._stream.eof:
            return b""
        held, self._held = bytes(self._held), bytearray()
        try:
            octets: bytes = self._stream.decompress(held, MOST_PIECE)
        except zlib.error as fault:
            raise BadCompression() from fault
        self._held += self._stream.unconsumed_tail or self._stream.unused_data
        self._full = int(len(octets) == MOST_PIECE)
        return octets

    @property
    def ended(self) -> bool:
        """True if the client ended its stream."""
        eof: bool = self._stream.eof
        return eof

    def clear(self) -> bytes:
        """What was fed and not inflated, for when compression is over."""
        held, self._held = bytes(self._held), bytearray()
        return held
