"""search-return-opts (RFC 4731 §3.1, RFC 5182 §3, RFC 9394 §4)."""

from __future__ import annotations

import re

from ...errors import BadParameter, SyntaxFault
from ..types_search import PartialRange, Returns, SearchReturn
from .scanner import CommandScanner
from .strings import MOST_NUMBER, parenthesized, sp, word

_RETURN = re.compile(rb" RETURN \(", re.I)
_RANGE = re.compile(
    rb"([1-9][0-9]{0,9}):([1-9][0-9]{0,9})(?![0-9])"
    rb"|-([1-9][0-9]{0,9}):-([1-9][0-9]{0,9})(?![0-9])"
)


def try_returns(s: CommandScanner) -> Returns | None:
    """[SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"]."""
    if not s.try_match(_RETURN):
        return None
    s.at -= 1
    found = parenthesized(s, _option, empty=True)
    ranges = [one for one in found if isinstance(one, PartialRange)]
    options = frozenset(one for one in found if isinstance(one, SearchReturn))
    if len(ranges) + (SearchReturn.ALL in options) > 1:
        raise BadParameter("One PARTIAL or ALL only")  # RFC 9394 §3.1
    if not found:
        return Returns()
    return Returns(options, ranges[0] if ranges else None)


def _option(s: CommandScanner) -> SearchReturn | PartialRange:
    name = word(s, "a return option")
    if name == "PARTIAL":
        sp(s)
        return partial_range(s)
    try:
        return SearchReturn(name)
    except ValueError as fault:
        raise BadParameter(f"Unknown return option {name[:40]}") from fault


def partial_range(s: CommandScanner) -> PartialRange:
    at = s.at
    found = s.match(_RANGE, "a range like 1:100 or -1:-100")
    first, last, first_back, last_back = found.groups()
    low, high = sorted((int(first or first_back), int(last or last_back)))
    if high > MOST_NUMBER:
        raise SyntaxFault(f"numbers up to {MOST_NUMBER}", at)
    return PartialRange(low, high, first is None)
