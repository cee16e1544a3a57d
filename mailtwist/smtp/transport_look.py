"""A look at the beginning of a queued message, taken once for all attempts at hosts."""

from __future__ import annotations

import re

from attrs import frozen
from zope.interface import implementer

from ..interfaces import IContent

PIECE = 64 * 1024  # octets read at once
MOST_HEADER = 256 * 1024  # octets looked at

_RECEIVED = re.compile(rb"^received[ \t]*:", re.I | re.M)
_TLS_REPORT = re.compile(rb"^tls-report-domain[ \t]*:", re.I | re.M)
_TLS_REQUIRED = re.compile(rb"^tls-required[ \t]*:[ \t]*no[ \t]*\r?$", re.I | re.M)


@frozen
class Look:
    """`header` is what was looked at; `whole` the message if that was all of it."""

    header: bytes
    content: IContent
    whole: bytes | None

    @property
    def hops(self) -> int:
        """Received fields (RFC 5321 §6.3)."""
        return len(_RECEIVED.findall(self.header))

    @property
    def tls_not_required(self) -> bool:
        """TLS-Required: No (RFC 8689 §5)."""
        return _TLS_REQUIRED.search(self.header) is not None

    @property
    def tls_report(self) -> bool:
        """It is a report of TLS itself, which is not reported on (RFC 8460 §5.3)."""
        return _TLS_REPORT.search(self.header) is not None

    @property
    def utf8_header(self) -> bool:
        return not self.header.isascii()


@implementer(IContent)
class Begun:
    """A content whose beginning was read already."""

    def __init__(self, content: IContent, begin: bytes) -> None:
        self.octets = content.octets
        self._content, self._begin = content, begin

    async def read(self, start: int, count: int) -> bytes:
        if start + count <= len(self._begin) or len(self._begin) == self.octets:
            return self._begin[start : start + count]
        return await self._content.read(start, count)


async def look(content: IContent) -> Look:
    """Raises what the content raises if the spool cannot be read."""
    begin = await content.read(0, PIECE)
    end = _header_end(begin)
    while end < 0 and len(begin) < min(content.octets, MOST_HEADER):
        more = await content.read(len(begin), PIECE)
        if not more:
            break
        begin += more
        end = _header_end(begin)
    whole = begin if len(begin) == content.octets else None
    return Look(begin[: end if end >= 0 else None], Begun(content, begin), whole)


def _header_end(begin: bytes) -> int:
    """The offset of the blank line, -1 if there is none yet."""
    if begin.startswith(b"\r\n"):
        return 0
    end = begin.find(b"\r\n\r\n")
    return end + 2 if end >= 0 else -1
