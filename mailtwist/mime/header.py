"""Header fields as octets: split, select, unfold (RFC 5322 §2.2).

Lines end in CRLF; a bare LF is read as a line end too, as messages that other tools
put into a mailbox have them.  Nothing here raises: a line without a colon is a field
without a name.
"""

from __future__ import annotations

import re

# Possessive on single octets only: on groups Python before 3.11.5 matches too much.
_FIELD = re.compile(rb"([^\r\n:]*+)(:?)[^\n]*+(?:\n[ \t][^\n]*+)*\n?")
_FOLD = re.compile(rb"(?:\r?\n[ \t]++)+")
_ENDS = re.compile(rb"[\r\n]+")

Table = dict[bytes, list[bytes]]


def fields(header_octets: bytes) -> list[tuple[bytes, bytes]]:
    """(name as written, raw octets with folding and line end) of each field, in order.

    Ends at the blank line.  A line that is no field has the name b"".
    """
    found = []
    for match in _FIELD.finditer(header_octets):
        name, colon = match.groups()
        if not colon:
            if match[0] in (b"\r\n", b"\n", b""):
                break
            name = b""
        found.append((name.rstrip(b" \t"), match[0]))
    return found


def select(
    header_octets: bytes, names: frozenset[bytes], *, inverted: bool = False
) -> bytes:
    """Raw fields whose lower-case name is in `names`, or with `inverted` is not.

    In order, with the blank line behind them (RFC 3501 §6.4.5, HEADER.FIELDS).
    """
    return joined(
        [
            raw
            for name, raw in fields(header_octets)
            if (name.lower() in names) is not inverted
        ]
    )


def joined(raw_fields: list[bytes]) -> bytes:
    """Raw fields as a header: each ends its line, and a blank line ends them all."""
    if raw_fields and not raw_fields[-1].endswith(b"\n"):
        return b"".join(raw_fields) + b"\r\n\r\n"
    return b"".join(raw_fields) + b"\r\n"


def table(found: list[tuple[bytes, bytes]]) -> Table:
    """Lower-case name -> raw values, for what `fields` gave."""
    values: Table = {}
    for name, raw in found:
        value = raw[raw.find(b":") + 1 :]
        values.setdefault(name.lower(), []).append(value)
    return values


def unfold(value: bytes) -> bytes:
    """A raw value on one line, without white space around it (RFC 5322 §2.2.3).

    A fold becomes one space whatever white space it was made with, as mail programs
    fold with tabs where a space was; a bare CR or LF becomes a space too.
    """
    if b"\n" in value:
        value = _FOLD.sub(b" ", value.strip(b" \t\r\n"))
    else:
        value = value.strip(b" \t\r\n")
    if b"\r" in value or b"\n" in value:
        value = _ENDS.sub(b" ", value)
    return value


def unfold_all(header_octets: bytes) -> bytes:
    """A whole header with each field on one line."""
    return _FOLD.sub(b" ", header_octets)
