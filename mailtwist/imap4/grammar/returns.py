"""search-return-opts (RFC 4731 §3.1, RFC 5182 §3, RFC 9394 §4, RFC 5267 §5)."""

from __future__ import annotations

import re

from ...errors import BadParameter
from ..types_search import PartialRange, Returns, SearchReturn, Update
from .fetch import fetch_att
from .scanner import CommandScanner
from .sequence import partial_range
from .strings import parenthesized, sp, word

_RETURN = re.compile(rb" RETURN \(", re.I)


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
    updates = [one for one in found if isinstance(one, Update)]
    return Returns(
        options,
        ranges[0] if ranges else None,
        updates[0] if updates else None,
    )


def _option(s: CommandScanner) -> SearchReturn | PartialRange | Update:
    name = word(s, "a return option")
    if name == "PARTIAL":
        sp(s)
        return partial_range(s)
    if name == "UPDATE":
        return _update(s)
    try:
        return SearchReturn(name)
    except ValueError as fault:
        raise BadParameter(f"Unknown return option {name[:40]}") from fault


def _update(s: CommandScanner) -> Update:
    """ "UPDATE" [SP "(" fetch-att *(SP fetch-att) ")"] (RFC 5465 §7, where the space is
    in the example and not in the grammar)."""
    if not s.text.startswith((b"(", b" ("), s.at):
        return Update()
    s.skip(b" ")
    return Update(tuple(dict.fromkeys(parenthesized(s, fetch_att))))
