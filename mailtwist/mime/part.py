"""One part of a message: where its octets lie and what its header says of them."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from ..errors import BadMessage
from .parameters import Parameters

_VERSION = b"1"


@frozen
class Part:
    """A message, or a part of one, with octet ranges (start, count) in the message.

    `header` counts the blank line at its end.  `media_type`, `subtype` and `encoding`
    are lower case; names in `parameters` too, values are as written.  A multipart has
    one child or more; message/rfc822 and message/global have one, the encapsulated
    message; nothing else has any.
    """

    header: tuple[int, int]
    body: tuple[int, int]
    media_type: str = "text"
    subtype: str = "plain"
    children: tuple[Part, ...] = ()
    parameters: Parameters = ()
    encoding: str = "7bit"
    content_id: bytes | None = None
    description: bytes | None = None
    md5: bytes | None = None
    disposition: tuple[bytes, Parameters] | None = None
    language: tuple[bytes, ...] = ()
    location: bytes | None = None

    @property
    def multipart(self) -> bool:
        return self.media_type == "multipart"

    @property
    def encapsulates(self) -> bool:
        """True if its child is a whole message."""
        return self.media_type == "message" and bool(self.children)

    def section(self, numbers: tuple[int, ...]) -> Part | None:
        """The part that a section like 2.1 names (RFC 3501 §6.4.5), from a message.

        () is the message itself.  A message that is not multipart has itself as its
        part 1, so the answer to (1,) may be `self`.
        """
        part, whole = self, True  # whole: part is a message, and 1 may be all of it
        for number in numbers:
            if not whole and part.encapsulates:
                part, whole = part.children[0], True
            if part.multipart:
                if not 1 <= number <= len(part.children):
                    return None
                part, whole = part.children[number - 1], False
            elif whole and number == 1:
                whole = False
            else:
                return None
        return part

    def encode(self) -> bytes:
        """The tree as octets for the cache."""
        return _VERSION + _dump(_plain(self)).encode("ascii")

    @staticmethod
    def decode(octets: bytes) -> Part:
        """What `encode` gave; raises BadMessage for anything else."""
        if not octets.startswith(_VERSION):
            raise BadMessage("The cached structure is of another version")
        try:
            return _part(json.loads(octets[1:]))
        except (ValueError, TypeError, IndexError, AttributeError) as bad:
            raise BadMessage("The cached structure is damaged") from bad


_dump = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


# A list: the four numbers of the ranges, then the other fields; None stands for the
# default and is not written at the end of the list.  Octets are written as Latin-1.
def _plain(part: Part) -> list[object]:
    values: list[object] = [
        part.media_type,
        part.subtype,
        [_text(octets) for pair in part.parameters for octets in pair] or None,
        None if part.encoding == "7bit" else part.encoding,
        [_plain(child) for child in part.children] or None,
        part.disposition
        and [
            _text(part.disposition[0]),
            *(_text(octets) for pair in part.disposition[1] for octets in pair),
        ],
        _text(part.content_id),
        _text(part.description),
        _text(part.md5),
        [_text(tag) for tag in part.language] or None,
        _text(part.location),
    ]
    while values[-1] is None:
        values.pop()
    return [*part.header, *part.body, *values]


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else octets.decode("latin-1")


def _octets(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")


def _pairs(flat: list[str] | None) -> Parameters:
    if not flat:
        return ()
    octets = [text.encode("latin-1") for text in flat]
    return tuple(zip(octets[::2], octets[1::2], strict=True))


def _part(values: list[Any]) -> Part:
    header_start, header_count, body_start, body_count, *rest = values
    rest += [None] * (11 - len(rest))
    (media_type, subtype, parameters, encoding, children, disposition) = rest[:6]
    content_id, description, md5, language, location = rest[6:]
    return Part(
        (header_start, header_count),
        (body_start, body_count),
        media_type,
        subtype,
        tuple(_part(child) for child in children) if children else (),
        _pairs(parameters),
        encoding or "7bit",
        _octets(content_id),
        _octets(description),
        _octets(md5),
        (disposition[0].encode("latin-1"), _pairs(disposition[1:]))
        if disposition
        else None,
        tuple(tag.encode("latin-1") for tag in language) if language else (),
        _octets(location),
    )
