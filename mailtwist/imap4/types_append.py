"""APPEND and REPLACE as values: where to, and step by step what comes."""

from __future__ import annotations

from attrs import frozen

from ..flags import NONE, Flags
from ..mailbox.model import Path
from ..seqset import SequenceSet


@frozen
class Append:
    """APPEND (RFC 3501 §6.3.11), REPLACE if it `replaces` a message (RFC 8508 §3.2).

    What is appended follows as steps.  With `uid` the number of the message that goes
    is its UID.
    """

    path: Path
    replaces: SequenceSet | None = None
    uid: bool = False


@frozen
class MessageStart:
    """One more message (RFC 3502 §6.3.11).

    `internal_date` is seconds since 1970 UTC, None for now.
    """

    flags: Flags = NONE
    internal_date: int | None = None


@frozen
class TextPart:
    """Octets of the message, which come as engine events.

    `synchronizing`: the client waits for "+" before it sends.  `binary`: they came as
    literal8, so that NUL may be among them (RFC 3516 §4.4).
    """

    octets: int
    synchronizing: bool = True
    binary: bool = False


@frozen
class UrlPart:
    """Octets of another message (RFC 4469 §3), by its URL as the client wrote it."""

    url: bytes


@frozen
class MessageEnd:
    """The message is whole."""


Step = MessageStart | TextPart | UrlPart | MessageEnd
