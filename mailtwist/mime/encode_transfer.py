"""A message made fit for hosts that take no 8-bit or binary octets (RFC 6152 §3).

Parts are encoded anew one by one, each as its type asks; text around them, and every
header field but Content-Transfer-Encoding, stays as it is.  What must not be touched
(signed parts) or cannot be encoded (message types) is a fault.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Generator, Iterator
from typing import TypeVar

from attrs import frozen

from ..errors import MailError
from .header import fields
from .parse import MOST_HEADER, read
from .part import Part
from .slices import Buffer

PIECE = 57 * 1024  # octets encoded at once; a multiple of 57, a line of base64

SLICE = 256 * 1024  # octets looked at in one go
MOST_LINE = 998  # octets without CRLF

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")  # no octets of lines
_BASE64_LINE = re.compile(rb".{76}")
_SOFT_BREAK = re.compile(rb"(?<!\r)\n")  # as b2a_qp makes it where no CRLF is near
_ASCII = bytes(range(128))
_TO_ASCII = bytes(range(128)) + b"?" * 128
_IDENTITY = frozenset(("7bit", "8bit", "binary"))


_Answer = TypeVar("_Answer")
Steps = Generator[None, None, _Answer]


class CannotConvert(MailError):
    status = "5.6.3"
    public = "The message needs a conversion for the next host that cannot be made"


@frozen
class Edit:
    """Octets [start, end) of the message become `text`, if not None, or themselves
    "base64", "quoted-printable", "lines" (with "?" for octets of none), or "ascii"
    (and with "?" for what is not)."""

    start: int
    end: int
    how: str = ""
    text: bytes | None = None


def edits(buffer: Buffer, *, eight_bit: bool) -> Steps[list[Edit]]:
    """What makes the message ASCII lines, or with `eight_bit` lines of any octets; but
    for header fields, which stay.

    A generator, so that others get their turn between the looks at a large message;
    the edits are what it returns.  Raises CannotConvert."""
    found: list[Edit] = []
    part, _ = yield from read(buffer)
    yield from _Walk(buffer, eight_bit, found).part(part, True)
    return sorted(found, key=lambda edit: (edit.start, edit.end))


def utf8_headers(buffer: Buffer) -> Steps[bool]:
    """True if a header field of a part, or of a message inside, needs SMTPUTF8
    (RFC 6532 §3); a generator, as `edits`."""
    part, _ = yield from read(buffer)
    waiting = [part]
    while waiting:
        part = waiting.pop()
        start, count = part.header
        if (part.media_type, part.subtype) == ("message", "global"):
            return True
        if not (yield from _ascii(buffer, start, start + count)):
            return True
        waiting += part.children
    return False


def rewritten(buffer: Buffer, changes: list[Edit]) -> Iterator[bytes]:
    """The message with the edits made, in pieces."""
    at = 0
    for edit in [*changes, Edit(len(buffer), len(buffer), text=b"")]:
        for start in range(at, edit.start, PIECE):
            yield buffer[start : min(start + PIECE, edit.start)]
        if edit.text is not None:
            yield edit.text
        elif edit.how == "base64":
            yield from _base64(buffer, edit.start, edit.end)
        elif edit.how in ("ascii", "lines"):
            table = _TO_ASCII if edit.how == "ascii" else None
            for octets in _whole_ends(buffer, edit.start, edit.end):
                yield _LONE.sub(b"?", octets).translate(table)
        else:
            yield from _quoted_printable(buffer, edit.start, edit.end)
        at = edit.end


class _Walk:
    """Every look at octets is a generator that stops after each SLICE of them."""

    def __init__(self, buffer: Buffer, eight_bit: bool, found: list[Edit]) -> None:
        self._buffer, self._eight_bit, self._found = buffer, eight_bit, found

    def part(self, part: Part, top: bool) -> Steps[None]:
        start, count = part.header
        if (yield from self._bare(start, start + count)):
            raise CannotConvert("The message has binary octets in a header")
        start, count = part.body
        end = start + count
        if part.multipart and part.subtype == "signed":
            fit = self._eight_bit or (yield from self._ascii(start, end))
            bare = yield from self._bare(start, end)
            if not fit or bare or self._any_binary(part):
                raise CannotConvert(
                    "The message is signed and has octets that the next host does not "
                    "take"
                )
            return
        if part.children:
            yield from self._composite(part, start, end)
            return
        how = yield from self._encoding(part, start, end)
        if how:
            self._label(part, how, top)
        if how in ("base64", "quoted-printable"):
            self._found.append(Edit(start, end, how))

    def _composite(self, part: Part, start: int, end: int) -> Steps[None]:
        """A multipart or a message in a message: its parts, and what is between."""
        at = start
        for child in part.children:
            yield from self._between(at, child.header[0])
            yield from self.part(child, part.encapsulates)
            at = child.body[0] + child.body[1]
        yield from self._between(at, end)
        told = part.encoding
        if told == "binary" or (told == "8bit" and not self._eight_bit):
            self._label(part, "8bit" if self._eight_bit else "7bit", False)

    def _between(self, start: int, end: int) -> Steps[None]:
        """Preamble, epilogue and boundary lines, which no reader shows."""
        ascii = self._eight_bit or (yield from self._ascii(start, end))
        if not ascii or (yield from self._bare(start, end)):
            how = "lines" if self._eight_bit else "ascii"
            self._found.append(Edit(start, end, how))

    def _encoding(self, part: Part, start: int, end: int) -> Steps[str]:
        """The new encoding of a part without parts; "" if the old one is fine."""
        binary = part.encoding == "binary"
        bare = yield from self._bare(start, end)
        fit = self._eight_bit or (yield from self._ascii(start, end))
        if part.encoding not in _IDENTITY:
            if bare or not fit:
                raise CannotConvert(
                    f"A part is encoded as {part.encoding[:40]} and has other octets"
                )
            return ""
        if fit and not bare and not binary:
            return ""
        ascii = yield from self._ascii(start, end)
        lines = not bare and (yield from self._short_lines(start, end))
        if lines and (ascii or self._eight_bit):
            return "7bit" if ascii else "8bit"
        if part.media_type == "message":
            raise CannotConvert(
                f"A part of type message/{part.subtype} has octets that are no text"
            )
        if part.media_type != "text" or bare:
            return "base64"
        return "quoted-printable" if self._mostly_ascii(start, end) else "base64"

    # -- looks at octets --------------------------------------------------------------

    def _ascii(self, start: int, end: int) -> Steps[bool]:
        return _ascii(self._buffer, start, end)

    def _bare(self, start: int, end: int) -> Steps[bool]:
        """True if there is a CR or LF that is no line end, or a NUL."""
        for octets in _whole_ends(self._buffer, start, end):
            ends = octets.count(b"\r\n")
            if octets.count(b"\r") != ends or octets.count(b"\n") != ends:
                return True
            if b"\0" in octets:
                return True
            yield
        return False

    def _short_lines(self, start: int, end: int) -> Steps[bool]:
        """True if no line is longer than SMTP carries (RFC 5321 §4.5.3.1.6)."""
        at, steps = start, 0
        while end - at > MOST_LINE:
            at = self._buffer.rfind(b"\n", at, at + MOST_LINE + 2) + 1
            if not at:
                return False
            steps += 1
            if not steps % 1000:
                yield
        return True

    def _mostly_ascii(self, start: int, end: int) -> bool:
        """True if quoted-printable comes out shorter than base64; by the beginning."""
        octets = self._buffer[start : min(end, start + SLICE)]
        return len(octets.translate(None, _ASCII)) * 6 < len(octets)

    def _any_binary(self, part: Part) -> bool:
        return part.encoding == "binary" or any(map(self._any_binary, part.children))

    # -- the header of a part ---------------------------------------------------------

    def _label(self, part: Part, encoding: str, top: bool) -> None:
        """Say the new encoding; a message that says nothing of MIME learns to."""
        start, count = part.header
        if count > MOST_HEADER:
            raise CannotConvert("A header of the message is too large to be converted")
        at, names = start, set()
        field = b"Content-Transfer-Encoding: %s\r\n" % encoding.encode()
        replaced = False
        for name, raw in fields(self._buffer[start : start + count]):
            name = name.lower()
            names.add(name)
            if name == b"content-transfer-encoding":
                self._found.append(Edit(at, at + len(raw), text=field))
                field, replaced = b"", True
            at += len(raw)
        added = b""
        if top and b"mime-version" not in names:
            added += b"MIME-Version: 1.0\r\n"
        if b"content-type" not in names and not part.children:
            # RFC 1428: text in a charset that nobody named
            added += b"Content-Type: text/plain; charset=unknown-8bit\r\n"
        if not replaced:
            added += field
        if added:
            self._found.append(Edit(at, at, text=added))


def _ascii(buffer: Buffer, start: int, end: int) -> Steps[bool]:
    for at in range(start, end, SLICE):
        if not buffer[at : min(at + SLICE, end)].isascii():
            return False
        yield
    return True


def _whole_ends(buffer: Buffer, start: int, end: int) -> Iterator[bytes]:
    """The octets in pieces of a SLICE, none of which ends between CR and LF."""
    at = start
    while at < end:
        octets = buffer[at : min(at + SLICE, end)]
        if octets.endswith(b"\r") and at + len(octets) < end:
            octets = buffer[at : at + len(octets) + 1]
        yield octets
        at += len(octets)


def _base64(buffer: Buffer, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, PIECE):
        line = b64encode(buffer[at : min(at + PIECE, end)])
        out = _BASE64_LINE.sub(rb"\g<0>\r\n", line)
        yield out if out.endswith(b"\n") else out + b"\r\n"


def _quoted_printable(buffer: Buffer, start: int, end: int) -> Iterator[bytes]:
    at = start
    while at < end:
        octets = buffer[at : min(at + PIECE, end)]
        if at + len(octets) < end:
            cut = octets.rfind(b"\r\n") + 2
            if cut >= 2:
                octets = octets[:cut]
            elif octets.endswith(b"\r"):
                octets = octets[:-1]
        at += len(octets)
        yield _SOFT_BREAK.sub(b"\r\n", b2a_qp(octets, istext=True))
