"""ENVELOPE, BODY and BODYSTRUCTURE as FETCH answers them (RFC 3501 §7.4.2).

Quoted strings where the grammar allows, else literals; 8-bit octets of a header go out
as they stand, in a literal, or quoted if they are UTF-8 and `utf8` says that the client
reads that (RFC 6855 §3).  NUL has no form in IMAP and becomes U+FFFD.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .address_list import Listed, addresses
from .header import Table, fields, table, unfold
from .parameters import Parameters
from .parse import MOST_HEADER
from .part import Part
from .slices import Buffer, Sliced, in_one_go, line_ends

_NOT_QUOTED = re.compile(rb"[\0\r\n\"\\\x7f-\xff]")
_MOST_QUOTED = 4096  # octets; longer strings are literals
_CHARSET = (b"charset", b"charset*")


def string(octets: bytes, utf8: bool = False) -> bytes:
    """string (RFC 3501 §9): quoted, or a literal."""
    if _NOT_QUOTED.search(octets) is None and len(octets) <= _MOST_QUOTED:
        return b'"%b"' % octets
    if b"\0" in octets:
        octets = octets.replace(b"\0", b"\xef\xbf\xbd")
    plain = octets.isascii() or (utf8 and _is_utf8(octets))
    if plain and b"\r" not in octets and b"\n" not in octets:
        quoted = octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        if len(quoted) <= _MOST_QUOTED:
            return b'"%b"' % quoted
    return b"{%d}\r\n%b" % (len(octets), octets)


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def nstring(octets: bytes | None, utf8: bool = False) -> bytes:
    return b"NIL" if octets is None else string(octets, utf8)


def envelope(header_octets: bytes, utf8: bool = False) -> bytes:
    """The ENVELOPE list of a header."""
    return envelope_of(table(fields(header_octets)), utf8)


ENVELOPE_FIELDS = frozenset(
    b"date subject from sender reply-to to cc bcc in-reply-to message-id".split()
)


def envelope_of(values: Table, utf8: bool = False) -> bytes:
    """The ENVELOPE list of a header as `header.table` gives it, or ENVELOPE_FIELDS of
    that."""
    sender = _list(values, b"from", utf8)
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(values, b"date", utf8),
        _text(values, b"subject", utf8),
        sender,
        _list(values, b"sender", utf8, sender),
        _list(values, b"reply-to", utf8, sender),
        _list(values, b"to", utf8),
        _list(values, b"cc", utf8),
        _list(values, b"bcc", utf8),
        _text(values, b"in-reply-to", utf8),
        _text(values, b"message-id", utf8),
    )


def body(part: Part, buffer: Buffer) -> bytes:
    """The BODY list: BODYSTRUCTURE without extension data."""
    return in_one_go(both(part, buffer))[0]


def bodystructure(part: Part, buffer: Buffer) -> bytes:
    """The BODYSTRUCTURE list."""
    return in_one_go(both(part, buffer))[1]


def both(part: Part, buffer: Buffer, utf8: bool = False) -> Sliced[tuple[bytes, bytes]]:
    """(BODY, BODYSTRUCTURE), the lines counted once."""
    writer = Writer(buffer, utf8)
    yield from writer.count(part)
    return writer.lists_of(part)


def _text(values: Table, name: bytes, utf8: bool) -> bytes:
    found = values.get(name)
    return string(unfold(found[0]), utf8) if found else b"NIL"


def _list(values: Table, name: bytes, utf8: bool, default: bytes = b"NIL") -> bytes:
    found = values.get(name)
    if not found:
        return default
    listed = addresses(found)
    if not listed:
        return default
    return b"(%b)" % b"".join([_address(one, utf8) for one in listed])


def _address(address: Listed, utf8: bool) -> bytes:
    return b"(%b)" % b" ".join([nstring(one, utf8) for one in address])


def _pairs(parameters: Parameters, utf8: bool) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(%b)" % b" ".join(
        [string(octets, utf8) for pair in parameters for octets in pair]
    )


class Writer:
    """Renders the parts of one message; `count` comes first."""

    def __init__(self, buffer: Buffer, utf8: bool = False) -> None:
        self._buffer, self._utf8 = buffer, utf8
        self._line_ends: dict[int, int] = {}  # offset -> line ends before it

    def count(self, part: Part) -> Sliced[None]:
        """Count line ends once over the message, however deep its parts are nested."""
        ends = self._line_ends
        waiting = [part]
        while waiting:
            one = waiting.pop()
            waiting += one.children
            if one.media_type == "text" or one.encapsulates:
                ends[one.body[0]] = ends[one.body[0] + one.body[1]] = 0
        total, last = 0, None
        for at in sorted(ends):
            if last is not None:
                total += yield from line_ends(self._buffer, last, at)
            ends[at], last = total, at

    def lines(self, part: Part) -> int:
        """Line ends in the body."""
        start, count = part.body
        return self._line_ends[start + count] - self._line_ends[start]

    def header(self, part: Part) -> bytes:
        """As much of the header as is looked at."""
        start, count = part.header
        return self._buffer[start : start + min(count, MOST_HEADER)]

    def lists_of(self, part: Part) -> tuple[bytes, bytes]:
        """(BODY, BODYSTRUCTURE) of a part with all that is in it."""
        utf8 = self._utf8
        if part.multipart:
            pairs = [self.lists_of(child) for child in part.children]
            subtype = string(part.subtype.encode("latin-1"))
            return (
                b"(%b %b)" % (b"".join([plain for plain, _ in pairs]), subtype),
                b"(%b %b %b%b)"
                % (
                    b"".join([extended for _, extended in pairs]),
                    subtype,
                    _pairs(part.parameters, utf8),
                    _extension(part, utf8),
                ),
            )
        text = part.media_type == "text"
        kind = _kind if len(part.parameters) <= _FEW else _kind.__wrapped__
        start = b"%b %b %b %b %d" % (
            kind(part.media_type, part.subtype, part.parameters, utf8),
            nstring(part.content_id, utf8),
            nstring(part.description, utf8),
            string(part.encoding.encode("latin-1")),
            part.body[1],
        )
        plain = extended = start
        if text:
            plain = extended = b"%b %d" % (start, self.lines(part))
        elif part.encapsulates and part.subtype == "rfc822":
            # RFC 3501's grammar has the envelope in message/rfc822 alone.
            child = part.children[0]
            inner = envelope(self.header(child), self._utf8)
            lines = self.lines(part)
            plain, extended = [
                b"%b %b %b %d" % (start, inner, one, lines)
                for one in self.lists_of(child)
            ]
        more = nstring(part.md5, utf8), _extension(part, utf8)
        return b"(%b)" % plain, b"(%b %b%b)" % (extended, *more)


_FEW = 2  # parameters of a kind that is remembered


@lru_cache(maxsize=512)
def _kind(media_type: str, subtype: str, parameters: Parameters, utf8: bool) -> bytes:
    """Type, subtype and parameters; most messages share a few."""
    if media_type == "text" and not any(name in _CHARSET for name, _ in parameters):
        parameters = (*parameters, (b"charset", b"us-ascii"))  # RFC 2045 §5.2
    return b"%b %b %b" % (
        string(media_type.encode("latin-1")),
        string(subtype.encode("latin-1")),
        _pairs(parameters, utf8),
    )


def _extension(part: Part, utf8: bool) -> bytes:
    """Disposition, language and location, with a space in front."""
    if part.disposition is None and not part.language and part.location is None:
        return b" NIL NIL NIL"
    described = b"NIL"
    if part.disposition:
        described = b"(%b %b)" % (
            string(part.disposition[0], utf8),
            _pairs(part.disposition[1], utf8),
        )
    language = b"NIL"
    if part.language:
        language = b"(%b)" % b" ".join([string(tag, utf8) for tag in part.language])
    return b" %b %b %b" % (described, language, nstring(part.location, utf8))
