"""Binary parts of a message that comes in, encoded as base64 on the way.

Mail is kept as lines, as every reader of a Maildir expects them, so a part that says it
is binary (RFC 2045 §6.2) and may hold any octets is kept in base64.  Everything else
stays as it is.  The message is taken in pieces of any size and in bounded memory; any
split gives the same octets.
"""

from __future__ import annotations

import re
from base64 import b64encode

from ..errors import UnknownEncoding
from .header import Table, fields, table
from .parameters import content_type, token
from .parse import MOST_DEPTH, MOST_HEADER

_HEADER_END = re.compile(rb"(?:\A|\n)\r?\n")
_ENCODING = re.compile(rb"\A[ \t\r\n]*binary\b", re.I)
_NAMED = re.compile(
    rb"^Content-Transfer-Encoding[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)", re.I | re.M
)
_LINE = re.compile(rb".{76}(?!\Z)", re.S)
_LINE_OCTETS = 57  # that make a line of base64
_MOST_BOUNDARY = 1000  # octets; RFC 2046 §5.1.1 has 70
_MOST_SPACE = 100  # octets of white space behind a boundary


class BinaryParts:
    """feed() octets for octets, end() for the last ones.

    Raises UnknownEncoding for NUL where no part says that it is binary.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._header = True  # the buffer begins with a header
        self._seen = 0  # octets of it that were looked at
        self._binary = False  # the body in hand is
        self._start = True  # the buffer begins where a line does
        self._lines = False  # a line of its base64 was given out
        self._rest = b""  # of it, less than makes a line
        self._boundaries: list[
            tuple[bytes, bytes]
        ] = []  # and their parts' default type
        self._delimiter: re.Pattern[bytes] | None = None
        self._kept = 0  # octets that may begin a boundary line

    def feed(self, octets: bytes) -> bytes:
        self._buffer += octets
        return self._taken(final=False)

    def end(self) -> bytes:
        """What is left, when the message is whole."""
        return self._taken(final=True)

    def _taken(self, *, final: bool) -> bytes:
        out: list[bytes] = []
        while self._headed(out, final) if self._header else self._body(out, final):
            pass
        return b"".join(out)

    # -- headers ----------------------------------------------------------------------

    def _headed(self, out: list[bytes], final: bool) -> bool:
        """Take a header; False if it is not whole."""
        found = _HEADER_END.search(self._buffer, max(0, self._seen - 3))
        delimiter = self._boundary(final, max(0, self._seen - self._kept))
        end = len(self._buffer) if found is None else found.end()
        if delimiter is not None and delimiter.start() < end:
            end = delimiter.start()  # a part that is all header
        elif found is None and not final and end <= MOST_HEADER:
            self._seen = end
            return False
        if end > MOST_HEADER:
            end = 0  # no part that anybody understands
        header, self._buffer = self._buffer[:end], self._buffer[end:]
        self._header, self._start, self._seen = False, True, 0
        out.append(_text(self._labelled(header)))
        return True

    def _labelled(self, header: bytes) -> bytes:
        """The header as it is kept; what follows it is known then."""
        self._binary = self._lines = False
        values = table(fields(header))
        media, subtype, boundary = self._type(values)
        said = values.get(b"content-transfer-encoding", [b""])[0]
        binary = _ENCODING.match(said) is not None
        holds = boundary is not None
        if boundary is not None:
            default = b"message/rfc822" if subtype == b"digest" else b"text/plain"
            self._boundaries.append((boundary, default))
            self._look_for()
        elif media == b"message" and subtype in (b"rfc822", b"global"):
            holds = binary or said.strip().lower() in (b"", b"7bit", b"8bit")
            self._header = holds
        if not binary:
            return header
        self._binary = not holds
        word = b"8bit" if holds else b"base64"
        return _NAMED.sub(b"Content-Transfer-Encoding: %b\r\n" % word, header)

    def _type(self, values: Table) -> tuple[bytes, bytes, bytes | None]:
        """Type and subtype of the part, and the boundary of its own parts."""
        typed = None
        if b"content-type" in values:
            typed = content_type(values[b"content-type"][0])
        if typed is None:
            default = self._boundaries[-1][1] if self._boundaries else b"text/plain"
            media, _, subtype = default.partition(b"/")
            return media, subtype, None
        media, subtype, parameters = typed
        boundary = None
        if media == b"multipart" and len(self._boundaries) < MOST_DEPTH:
            boundary = token(parameters, b"boundary")
        known = boundary and len(boundary) <= _MOST_BOUNDARY
        return media, subtype.lower(), boundary if known else None

    def _look_for(self) -> None:
        """The boundary lines that may end the body in hand."""
        if not self._boundaries:
            self._delimiter = None
            return
        names = b"|".join(
            b"(?:%b)(?P<b%d>)" % (re.escape(name), at)
            for at, (name, _) in reversed(list(enumerate(self._boundaries)))
        )
        self._delimiter = re.compile(
            rb"(?:\A|\r?\n)--(?:%b)(?P<close>--)?[ \t]{0,%d}(?:\r?\n|(?P<end>\r?\Z))"
            % (names, _MOST_SPACE)
        )
        longest = max(len(name) for name, _ in self._boundaries)
        self._kept = longest + _MOST_SPACE + 8

    # -- bodies -----------------------------------------------------------------------

    def _body(self, out: list[bytes], final: bool) -> bool:
        """Take octets of a body, up to a boundary; False if more are needed."""
        found = self._boundary(final)
        if found is None:
            whole = final or self._delimiter is None
            count = len(self._buffer) - (0 if whole else self._kept)
            if count > 0:
                self._give(out, self._buffer[:count])
                self._buffer, self._start = self._buffer[count:], False
            if final:
                self._finish(out)
                if self._lines:
                    out.append(b"\r\n")
            return False
        self._give(out, self._buffer[: found.start()])
        self._finish(out)
        out.append(found[0])
        self._buffer = self._buffer[found.end() :]
        self._binary = self._lines = False
        at = next(
            at for at in range(len(self._boundaries)) if found[f"b{at}"] is not None
        )
        closed = found["close"] is not None
        del self._boundaries[at if closed else at + 1 :]
        self._look_for()
        self._header, self._start = not closed, True
        return True

    def _boundary(self, final: bool, at: int = 0) -> re.Match[bytes] | None:
        """The first boundary line from `at` on, if it is there for sure."""
        if self._delimiter is None:
            return None
        while (found := self._delimiter.search(self._buffer, at)) is not None:
            if found["end"] is not None and not final:
                return None
            begins = found[0].startswith(b"-")  # and no line end before it
            if self._start or not begins:
                return found
            at = 1
        return None

    def _give(self, out: list[bytes], octets: bytes) -> None:
        if not self._binary:
            out.append(_text(octets))
            return
        octets = self._rest + octets
        count = len(octets) - len(octets) % _LINE_OCTETS
        self._rest = octets[count:]
        self._encode(out, octets[:count])

    def _finish(self, out: list[bytes]) -> None:
        rest, self._rest = self._rest, b""
        self._encode(out, rest)

    def _encode(self, out: list[bytes], octets: bytes) -> None:
        if octets:
            lines = _LINE.sub(rb"\g<0>\r\n", b64encode(octets))
            out.append(b"\r\n" + lines if self._lines else lines)
            self._lines = True


def _text(octets: bytes) -> bytes:
    if b"\0" in octets:
        raise UnknownEncoding("NUL stands where no part says that it is binary")
    return octets
