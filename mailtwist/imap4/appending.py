"""What a session holds of an APPEND or REPLACE whose messages are coming."""

from __future__ import annotations

from attrs import define, field

from ..flags import Flags
from ..mailbox.interfaces import IUpload
from .types_append import Append


@define(eq=False)
class Appending:
    """`replaced` is the UID that REPLACE removes; `checked`: the mailbox was found and
    had room when the first octets were asked for."""

    command: Append
    replaced: int | None = None
    checked: bool = False
    messages: list[tuple[IUpload, Flags, int | None]] = field(factory=list)

    @property
    def upload(self) -> IUpload:
        """Of the message in hand."""
        return self.messages[-1][0]

    @property
    def octets(self) -> int:
        """Of all messages so far."""
        return sum(upload.octets for upload, _, _ in self.messages)

    def abort(self) -> None:
        for upload, _, _ in self.messages:
            upload.abort()
