"""What a session holds of an APPEND or REPLACE whose messages are coming."""

from __future__ import annotations

import re

from attrs import define, field

from ..errors import BadMessage
from ..flags import Flags
from ..mailbox.interfaces import IUpload
from ..mime.binary_parts import BinaryParts
from .types_append import Append

_HEADER_END = re.compile(rb"\n\r?\n")
MOST_HELD = 16  # messages of one APPEND that the store may hold as it likes


@define(eq=False)
class Appending:
    """`replaced` is the UID that REPLACE removes; `checked`: the mailbox was found and
    had room when the first octets were asked for.  `binary` encodes the binary parts of
    a message that began as literal8.  `ascii_headers`: other octets in the header of a
    message are refused (RFC 6855 §4)."""

    command: Append
    replaced: int | None = None
    checked: bool = False
    binary: BinaryParts | None = None
    ascii_headers: bool = False
    messages: list[tuple[IUpload, Flags, int | None]] = field(factory=list)
    _header_tail: bytes | None = b"\n"  # what the next octets follow; None in the body

    @property
    def upload(self) -> IUpload:
        """Of the message in hand."""
        return self.messages[-1][0]

    @property
    def octets(self) -> int:
        """Of all messages so far."""
        return sum(upload.octets for upload, _, _ in self.messages)

    async def write(self, octets: bytes) -> None:
        """Octets of the message in hand; returns when the store can take more.

        Raises UnknownEncoding for NUL that cannot be kept, BadMessage for a header that
        is refused."""
        if self.ascii_headers and self._header_tail is not None:
            self._check_header(octets)
        if self.binary is not None:
            octets = self.binary.feed(octets)
        await self._write(octets)

    def _check_header(self, octets: bytes) -> None:
        tail = self._header_tail or b""
        looked = tail + octets
        end = _HEADER_END.search(looked)
        header = looked if end is None else looked[: end.start()]
        if not header.isascii():
            raise BadMessage("ENABLE UTF8=ACCEPT before a header that is not ASCII")
        self._header_tail = None if end is not None else looked[-2:]

    async def finish(self) -> None:
        """The message in hand is whole; raises BadMessage if it has no octet
        (RFC 3502 §6.3.11)."""
        binary, self.binary = self.binary, None
        self._header_tail = b"\n"
        if binary is not None:
            await self._write(binary.end())
        if not self.upload.octets:
            raise BadMessage("A message of no octet cancels the command")
        if len(self.messages) > MOST_HELD:
            await self.upload.shelve()

    async def _write(self, octets: bytes) -> None:
        waited = self.upload.write(octets) if octets else None
        if waited is not None:
            await waited

    def abort(self) -> None:
        for upload, _, _ in self.messages:
            upload.abort()
