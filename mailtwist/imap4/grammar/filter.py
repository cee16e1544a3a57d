"""The value of a filter: a search that is kept (RFC 5466 §3.2)."""

from __future__ import annotations

import re

from ...errors import SyntaxFault
from ..framer import Frame
from ..types_search import Search
from .scanner import CommandScanner
from .search import criteria, filter_name
from .strings import end_of_command

_MARKER = re.compile(rb"\{([0-9]{1,10})\+?\}\r\n")


def filter_value(octets: bytes, *, uid_only: bool = False, level: int = 0) -> Search:
    """search-criteria in UTF-8; raises SyntaxFault, BadParameter, UidRequired.

    `level`: so deep in a search it shall stand.
    """
    s = CommandScanner(_frame(octets), uid_only=uid_only, level=level)
    found = criteria(s, None, None)
    end_of_command(s)
    return found


def is_filter_name(name: str) -> bool:
    s = CommandScanner(Frame(name.encode()))
    try:
        filter_name(s)
    except SyntaxFault:
        return False
    return s.done


def _frame(octets: bytes) -> Frame:
    """The value as a command is framed: its literals are taken out."""
    text: list[bytes] = []
    literals: dict[int, bytes] = {}
    at = length = 0
    while found := _MARKER.search(octets, at):
        end = found.end() + int(found[1])
        if end > len(octets):
            raise SyntaxFault("all octets of a literal", found.start())
        text.append(octets[at : found.end()])
        length += found.end() - at
        literals[length] = octets[found.end() : end]
        at = end
    text.append(octets[at:])
    return Frame(b"".join(text), literals)
