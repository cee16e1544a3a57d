"""GETMETADATA and SETMETADATA (RFC 5464 §5), METADATA of LIST (RFC 9590 §5)."""

from __future__ import annotations

import re

from attrs import define

from ...errors import BadParameter, SyntaxFault
from ...mailbox.metadata import ACCOUNT
from ...mailbox.model import Path
from .. import names
from ..types_kept import GetMetadata, SetMetadata
from .scanner import CommandScanner
from .strings import NIL, astring, number, parenthesized, sp, string, word

MOST_ENTRIES = 1000  # of one command
MOST_NAME = 1024  # octets

_ENTRY = re.compile(rb"/(?:private|shared)(?:/[!-$&-)+-.0-~ ]+)*", re.I)
_OPTIONS = re.compile(rb"(?= ?\([A-Za-z])")
_LITERAL8 = re.compile(rb"~\{[0-9]+\+?\}\r\n")
_VENDOR_PARTS = 4  # of the names that vendors give (§3.2)


@define
class _Options:
    """getmetadata-options."""

    depth: int | None = 0
    most_octets: int | None = None


def get_metadata(s: CommandScanner) -> GetMetadata:
    """[SP getmetadata-options] SP mailbox [SP getmetadata-options] SP entries.

    The options stand before the mailbox in the syntax of the RFC, and behind it in its
    examples.
    """
    options = _Options()
    sp(s)
    if s.try_match(_OPTIONS):
        parenthesized(s, lambda s: _option(s, options))
        sp(s)
    wire = astring(s, "a mailbox name")
    sp(s)
    if s.try_match(_OPTIONS):
        parenthesized(s, lambda s: _option(s, options))
        sp(s)
    wanted = entries(s)
    return GetMetadata(_path(s, wire), wanted, options.depth, options.most_octets)


def _option(s: CommandScanner, options: _Options) -> None:
    name = word(s, "an option")
    sp(s)
    if name == "MAXSIZE":
        options.most_octets = number(s)
    elif name == "DEPTH":
        depth = word(s, "a depth")
        if depth not in ("0", "1", "INFINITY"):
            raise BadParameter("DEPTH is 0, 1 or infinity")
        options.depth = None if depth == "INFINITY" else int(depth)
    else:
        raise BadParameter(f"Unknown option {name[:40]}")


def entries(s: CommandScanner) -> tuple[str, ...]:
    """One entry or a list of them, each once."""
    several = s.text.startswith(b"(", s.at)
    found = parenthesized(s, entry) if several else [entry(s)]
    if len(found) > MOST_ENTRIES:
        raise BadParameter(f"At most {MOST_ENTRIES} entries")
    return tuple(dict.fromkeys(found))


def entry(s: CommandScanner) -> str:
    """The name of an entry, in lower case (§3.2)."""
    at, octets = s.at, astring(s, "the name of an entry")
    if not _ENTRY.fullmatch(octets) or len(octets) > MOST_NAME:
        raise SyntaxFault("a name like /private/comment", at)
    return octets.decode("ascii").lower()


def set_metadata(s: CommandScanner) -> SetMetadata:
    """mailbox SP "(" entry SP value *(SP entry SP value) ")"."""
    sp(s)
    wire = astring(s, "a mailbox name")
    sp(s)
    values = dict(parenthesized(s, _entry_value))
    if len(values) > MOST_ENTRIES:
        raise BadParameter(f"At most {MOST_ENTRIES} entries")
    return SetMetadata(_path(s, wire), tuple(values.items()))


def _entry_value(s: CommandScanner) -> tuple[str, bytes | None]:
    at, name = s.at, entry(s)
    parts = name.split("/")[1:]
    least = _VENDOR_PARTS if parts[1:2] == ["vendor"] else 2
    if len(parts) < least:
        raise SyntaxFault("an entry, not what others are in", at)
    sp(s)
    return name, _value(s)


def _value(s: CommandScanner) -> bytes | None:
    """nstring / literal8."""
    found = s.try_match(_LITERAL8)
    if found:
        return s.literals[found.end()]
    return None if s.try_match(NIL) else string(s, "a value or NIL")


def _path(s: CommandScanner, wire: bytes) -> Path:
    return names.path_of(wire, s.delimiter, utf8=s.utf8) if wire else ACCOUNT
