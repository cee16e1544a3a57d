"""A message to its tree of parts, by searching, never line by line.

Each multipart searches its body for its own boundary, so the time is bounded by the
size of the message times the depth of nesting, and the depth and the number of parts
are bounded here.  A boundary line is the boundary, "--" or not, and white space
(RFC 2046 §5.1.1); a line that only begins with a boundary is text, so one boundary may
be the beginning of another.
"""

from __future__ import annotations

import re

from .header import Table, fields, table, unfold
from .parameters import Parameters, content_type, disposition, token
from .part import Part
from .slices import Buffer, Sliced, find, in_one_go

MOST_DEPTH = 100  # of parts in parts; what is deeper stays text
MOST_PARTS = 10_000  # of one message; the rest belongs to the last part
# Octets searched in all, as a multiple of the message: real mail needs its depth, a
# hostile one with 100 levels around 50 MB does not get 5 GB searched.
MOST_SEARCHED = 16
# Octets of a header that are looked at: a message of 50 MB may be all header.
MOST_HEADER = 1 << 18
_SMALL = 1 << 22  # messages under this many octets are searched at any depth

_LARGE = 1 << 14  # octets of a header after which others get a turn
_Line = tuple[int, int, bool]

_CLOSE = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\r?\Z)")
_LANGUAGE = re.compile(rb"[^\s,;()\"]+")
_TOKEN = re.compile(rb"[!#-'*+.0-9A-Za-z^-~_-]+")
_COMMENT = re.compile(rb"\([^()]*\)")


def parse(buffer: Buffer) -> Part:
    """The tree of the whole message; raises nothing on any octets."""
    return in_one_go(read(buffer))[0]


def read(buffer: Buffer) -> Sliced[tuple[Part, list[tuple[bytes, bytes]]]]:
    """The tree, and the fields of the message's own header as `header.fields`."""
    end = yield from _header_end(buffer, 0, len(buffer))
    found = fields(buffer[: min(end, MOST_HEADER)])
    return (yield from _Parser(buffer).message(found, end)), found


def _header_end(buffer: Buffer, start: int, stop: int) -> Sliced[int]:
    if buffer[start : start + 2] == b"\r\n":
        return min(start + 2, stop)
    if buffer[start : start + 1] == b"\n":
        return start + 1
    crlf = yield from find(buffer, b"\n\r\n", start, stop)
    lf = yield from find(buffer, b"\n\n", start, stop if crlf < 0 else crlf)
    if lf >= 0:
        return lf + 2
    return stop if crlf < 0 else crlf + 3


class _Parser:
    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._parts = 0
        self._budget = max(_SMALL * MOST_DEPTH, MOST_SEARCHED * len(buffer))
        self._open: list[tuple[bytes, int]] = []  # (boundary line, end of its body)

    def message(self, found: list[tuple[bytes, bytes]], end: int) -> Sliced[Part]:
        stop = len(self._buffer)
        made = yield from self._part((0, end), table(found), stop, stop, 0, "plain")
        return made[0]

    def _entity(
        self, start: int, stop: int, limit: int, depth: int, default: str
    ) -> Sliced[tuple[Part, int, int]]:
        """The part at `start`, and its (stop, limit): those given, or behind them.

        The line end in [limit, stop) belongs to the boundary that is at `stop`.
        """
        end = yield from _header_end(self._buffer, start, stop)
        seen = self._buffer[start : min(end, start + MOST_HEADER)]
        values = table(fields(seen)) if end > start + 2 else {}
        if len(seen) > _LARGE:
            yield
        return (
            yield from self._part((start, end), values, stop, limit, depth, default)
        )

    def _trimmed(self, start: int, stop: int) -> int:
        """The end of a body that begins at `start`, before the boundary at `stop`."""
        if self._buffer[stop - 2 : stop] == b"\r\n":
            return max(start, stop - 2)
        if self._buffer[stop - 1 : stop] == b"\n":
            return max(start, stop - 1)
        return max(start, stop)

    def _part(
        self,
        header: tuple[int, int],
        values: Table,
        stop: int,
        limit: int,
        depth: int,
        default: str,
    ) -> Sliced[tuple[Part, int, int]]:
        self._parts += 1
        start = min(header[1], max(header[0], limit))
        body_end = max(start, limit)
        typed = None
        if b"content-type" in values:
            typed = content_type(values[b"content-type"][0])
        if typed and typed[0] == b"text" and not typed[1]:
            typed = (b"text", b"plain", typed[2])
        if typed and typed[1]:
            media_type, subtype = typed[0].decode("latin-1"), typed[1].decode("latin-1")
            parameters = typed[2]
        else:  # RFC 2045 §5.2: what cannot be read is text
            media_type = "message" if default == "rfc822" else "text"
            subtype, parameters = default, ()
        children: tuple[Part, ...] = ()
        deeper = depth < MOST_DEPTH and self._parts < MOST_PARTS
        if media_type == "multipart":
            boundary = token(parameters, b"boundary")
            if boundary and deeper and self._afford(body_end - start):
                children, reached, before = yield from self._multipart(
                    b"--" + boundary,
                    header[1],
                    body_end,
                    depth + 1,
                    "rfc822" if subtype == "digest" else "plain",
                )
                if children and reached > stop:
                    start, stop, limit = header[1], reached, before
            if not children:  # so that what is there can be read as text
                children = (Part((start, 0), (start, body_end - start)),)
        elif media_type == "message" and subtype in ("rfc822", "global"):
            if deeper:
                child, stop, limit = yield from self._entity(
                    start, stop, limit, depth + 1, "plain"
                )
                children = (child,)
            else:
                media_type, subtype = "application", "octet-stream"
        body_end = max(start, limit)
        part = Part(
            (header[0], start - header[0]),
            (start, body_end - start),
            media_type,
            subtype,
            children,
            parameters,
            *_described(values),
        )
        return part, stop, limit

    def _afford(self, octets: int) -> bool:
        self._budget -= octets
        return self._budget >= 0

    def _multipart(
        self, line: bytes, start: int, end: int, depth: int, default: str
    ) -> Sliced[tuple[tuple[Part, ...], int, int]]:
        """Parts between the boundary lines in [start, end), and the (stop, limit)."""
        stop = limit = end
        again = any(line == other for other, _ in self._open)
        if again:
            stop, limit = yield from self._end_of_inner(line, start)
            end = limit
        found = yield from self._boundary(line, start, end)
        if not found:
            return (), stop, limit
        self._open.append((line, end))
        children: list[Part] = []
        while found and not found[2]:
            begin = found[1]
            found = None
            if self._parts < MOST_PARTS - 1:
                found = yield from self._boundary(line, begin, end)
            before = after = end
            if found:
                after, before = found[0], self._trimmed(begin, found[0])
            child, reached, _ = yield from self._entity(
                begin, after, before, depth, default
            )
            children.append(child)
            if reached > after:  # a part inside had the same boundary
                found = yield from self._boundary(line, reached, end)
        self._open.pop()
        if again and found:
            stop, limit = yield from self._end_of_inner(line, found[1], epilogue=True)
        return tuple(children), stop, limit

    def _boundary(self, line: bytes, start: int, end: int) -> Sliced[_Line | None]:
        """(start of the line, offset behind it, closing) of the next boundary line."""
        at = max(start - 1, 0)
        if not start and self._buffer[: len(line)] == line:
            match = _CLOSE.match(self._buffer, len(line), end)
            if match:
                return 0, match.end(), match[1] is not None
        needle = b"\n" + line
        while True:
            at = yield from find(self._buffer, needle, at, end)
            if at < 0:
                return None
            match = _CLOSE.match(self._buffer, at + len(needle), end)
            if match:
                return at + 1, match.end(), match[1] is not None
            at += len(needle)

    def _end_of_inner(
        self, line: bytes, start: int, *, epilogue: bool = False
    ) -> Sliced[tuple[int, int]]:
        """The (stop, limit) of a multipart with the boundary of one around it.

        The inner one owns the boundary lines until it is closed, as other readers have
        it; then the ones around it own them again.
        """
        stop = limit = next(end for other, end in self._open if other == line)
        for other, _ in self._open:
            if other != line or epilogue:
                found = yield from self._boundary(other, start, stop)
                if found:
                    stop, limit = found[0], self._trimmed(start, found[0])
        return stop, limit


_Described = tuple[
    str,
    bytes | None,
    bytes | None,
    bytes | None,
    tuple[bytes, Parameters] | None,
    tuple[bytes, ...],
    bytes | None,
]


def _described(values: Table) -> _Described:
    """The fields of a Part from `encoding` on."""
    encoding, described, language = "7bit", None, b""
    if b"content-transfer-encoding" in values:
        found = _TOKEN.search(_plain(values[b"content-transfer-encoding"][0]))
        encoding = found[0].lower().decode("latin-1") if found else "7bit"
    if b"content-disposition" in values:
        described = disposition(values[b"content-disposition"][0])
    if b"content-language" in values:
        language = _plain(values[b"content-language"][0])
    return (
        encoding,
        _first(values, b"content-id"),
        _first(values, b"content-description"),
        _first(values, b"content-md5"),
        described,
        tuple(_LANGUAGE.findall(language)),
        _first(values, b"content-location"),
    )


def with_header(
    part: Part,
    header: bytes,
    places: tuple[tuple[int, int], tuple[int, int]],
    children: tuple[Part, ...],
) -> Part:
    """A part of the same kind as `part`, as another header describes it."""
    values = table(fields(header[:MOST_HEADER]))
    typed = None
    if b"content-type" in values:
        typed = content_type(values[b"content-type"][0])
    return Part(
        places[0],
        places[1],
        part.media_type,
        part.subtype,
        children,
        typed[2] if typed else (),
        *_described(values),
    )


def _plain(value: bytes) -> bytes:
    """A raw value without comments."""
    value = unfold(value)
    return _COMMENT.sub(b" ", value) if b"(" in value else value


def _first(values: Table, name: bytes) -> bytes | None:
    return unfold(values[name][0]) if name in values else None
