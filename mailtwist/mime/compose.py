"""Fields and texts of messages that this server writes."""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp

from .ascii_header import unstructured

MOST_LINE = 78  # characters, where there is room to fold

_LINE_ENDS = re.compile(r"[ \t]*(?:\r\n?|\n)[ \t]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def octets_of(text: str) -> bytes:
    """UTF-8; what ${hex:} brought as it was, and "?" for what has no form there."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def field_of(name: str, value: str) -> bytes:
    """A raw field: one line or folded, in ASCII."""
    value = _CONTROL.sub("", _LINE_ENDS.sub(" ", value)).strip()
    octets = octets_of(value)
    try:
        encoded = unstructured(octets)
    except UnicodeDecodeError:
        encoded = octets.decode("ascii", "replace").encode("ascii", "replace")
    head = name.encode("ascii") + b": "
    if len(head) + len(encoded) <= MOST_LINE or b"\r\n" in encoded:
        return head + encoded + b"\r\n"
    lines, line = [], head.rstrip()
    for word in encoded.split(b" "):
        if len(line) + 1 + len(word) > MOST_LINE and line != head.rstrip():
            lines.append(line)
            line = b""
        line += b" " + word
    return b"\r\n".join([*lines, line]) + b"\r\n"


def text_entity(text: str) -> bytes:
    """A text/plain entity, its header and body."""
    octets = octets_of(text)
    if octets.isascii() and all(len(line) <= 998 for line in octets.split(b"\r\n")):
        return b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + octets
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    if octets.isascii() or len(octets) > 4 * len(text) // 3:
        lines = b2a_base64(octets, newline=False)
        folded = b"\r\n".join(lines[at : at + 76] for at in range(0, len(lines), 76))
        return head + b"base64\r\n\r\n" + folded + b"\r\n"
    quoted = b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True)
    return head + b"quoted-printable\r\n\r\n" + quoted.replace(b"\n", b"\r\n")
