"""A message made fit for hosts that take no 8-bit or binary octets (RFC 6152 §3).

Parts are encoded anew one by one, each as its type asks; text around them, and every
header field but Content-Transfer-Encoding, stays as it is.  What must not be touched
(signed parts) or cannot be encoded (message types) is a fault.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterator

from attrs import frozen

from ..errors import MailError
from .header import fields
from .parse import parse
from .part import Part
from .slices import Buffer

PIECE = 57 * 1024  # octets encoded at once; a multiple of 57, a line of base64

_BINARY = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")
_LONG_LINE = re.compile(rb"[^\r\n]{999}")  # RFC 5321 §4.5.3.1.6
_BASE64_LINE = re.compile(rb".{76}")
_SOFT_BREAK = re.compile(rb"(?<!\r)\n")  # as b2a_qp makes it where no CRLF is near
_ASCII = bytes(range(128))
_TO_ASCII = bytes(range(128)) + b"?" * 128
_IDENTITY = frozenset(("7bit", "8bit", "binary"))


class CannotConvert(MailError):
    status = "5.6.3"
    public = "The message needs a conversion for the next host that cannot be made"


@frozen
class Edit:
    """Octets [start, end) of the message become `text`, if not None, or themselves
    "base64", "quoted-printable" or "ascii" (with "?" for what is not)."""

    start: int
    end: int
    how: str = ""
    text: bytes | None = None


def edits(buffer: Buffer, *, eight_bit: bool) -> list[Edit]:
    """What makes the message ASCII lines, or with `eight_bit` lines of any octets; but
    for header fields, which stay.  Raises CannotConvert."""
    found: list[Edit] = []
    _Walk(buffer, eight_bit, found).part(parse(buffer), True)
    return sorted(found, key=lambda edit: (edit.start, edit.end))


def utf8_headers(buffer: Buffer) -> bool:
    """True if a header field of a part, or of a message inside, needs SMTPUTF8
    (RFC 6532 §3)."""

    def found(part: Part) -> bool:
        start, count = part.header
        return (
            not buffer[start : start + count].isascii()
            or (part.media_type, part.subtype) == ("message", "global")
            or any(map(found, part.children))
        )

    return found(parse(buffer))


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
        elif edit.how == "ascii":
            yield buffer[edit.start : edit.end].translate(_TO_ASCII)
        else:
            yield from _quoted_printable(buffer, edit.start, edit.end)
        at = edit.end


class _Walk:
    def __init__(self, buffer: Buffer, eight_bit: bool, found: list[Edit]) -> None:
        self._buffer, self._eight_bit, self._found = buffer, eight_bit, found

    def part(self, part: Part, top: bool) -> None:
        start, count = part.body
        end = start + count
        if part.multipart and part.subtype == "signed":
            if self._unfit(start, end) or self._any_binary(part):
                raise CannotConvert(
                    "The message is signed and has 8-bit octets, which the next host "
                    "does not take"
                )
            return
        if part.children:
            self._composite(part, start, end)
            return
        how = self._encoding(part, start, end)
        if how:
            self._label(part, how, top)
        if how in ("base64", "quoted-printable"):
            self._found.append(Edit(start, end, how))

    def _composite(self, part: Part, start: int, end: int) -> None:
        """A multipart or a message in a message: its parts, and what is between."""
        at = start
        for child in part.children:
            header = child.header[0]
            self._between(at, header)
            self.part(child, part.encapsulates)
            at = child.body[0] + child.body[1]
        self._between(at, end)
        if part.encoding == "binary" or (
            part.encoding == "8bit" and not self._eight_bit
        ):
            self._label(part, "8bit" if self._eight_bit else "7bit", False)

    def _between(self, start: int, end: int) -> None:
        """Preamble, epilogue and boundary lines, which no reader shows."""
        if start < end and not self._eight_bit and not self._ascii(start, end):
            self._found.append(Edit(start, end, "ascii"))

    def _encoding(self, part: Part, start: int, end: int) -> str:
        """The new encoding of a part without parts; "" if the old one is fine."""
        if part.encoding not in _IDENTITY:
            if not self._eight_bit and not self._ascii(start, end):
                raise CannotConvert(
                    f"A part is encoded as {part.encoding[:40]} and has 8-bit octets"
                )
            return ""
        if self._eight_bit and part.encoding != "binary":
            return ""
        ascii = self._ascii(start, end)
        binary = part.encoding == "binary"
        lines = not (binary or not ascii) or self._lines(start, end)
        if lines and (ascii or self._eight_bit):
            return ("7bit" if ascii else "8bit") if binary else ""
        if part.media_type == "message":
            raise CannotConvert(
                f"A part of type message/{part.subtype} has 8-bit octets"
            )
        if part.media_type != "text" or self._bare(start, end):
            return "base64"
        return "quoted-printable" if self._mostly_ascii(start, end) else "base64"

    # -- looks at octets --------------------------------------------------------------

    def _slices(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, 1 << 20):
            yield self._buffer[at : min(at + (1 << 20), end)]

    def _ascii(self, start: int, end: int) -> bool:
        return all(octets.isascii() for octets in self._slices(start, end))

    def _bare(self, start: int, end: int) -> bool:
        return _BINARY.search(self._buffer, start, end) is not None

    def _lines(self, start: int, end: int) -> bool:
        """True if the octets are lines as SMTP carries them."""
        return not (
            self._bare(start, end) or _LONG_LINE.search(self._buffer, start, end)
        )

    def _mostly_ascii(self, start: int, end: int) -> bool:
        """True if quoted-printable comes out shorter than base64."""
        eight = sum(len(o.translate(None, _ASCII)) for o in self._slices(start, end))
        return eight * 6 < end - start

    def _unfit(self, start: int, end: int) -> bool:
        return not self._eight_bit and not self._ascii(start, end)

    def _any_binary(self, part: Part) -> bool:
        return part.encoding == "binary" or any(map(self._any_binary, part.children))

    # -- the header of a part ---------------------------------------------------------

    def _label(self, part: Part, encoding: str, top: bool) -> None:
        """Say the new encoding; a message that says nothing of MIME learns to."""
        start, count = part.header
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
