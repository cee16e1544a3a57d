"""Match types and comparators (RFC 5228 §2.7, RFC 5231, RFC 4790).

Whatever a test looks at comes here as texts, with the keys that it was given.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from ..mime.compose import octets_of
from ..mime.text import casemap
from .compiled import Match
from .limits import Budget
from .pattern import BadPattern, regex, wildcard

_DIGITS = re.compile(r"[0-9]+", re.A)
_INFINITY = float("inf")
_CHARACTERS = 128  # that are compared for one unit of work
_STATES = 512  # characters times size of a pattern, for one unit

Found = tuple[str, ...]
Key = str | bytes | int | float


def octet(text: str) -> bytes:
    return octets_of(text)


def ascii_casemap(text: str) -> bytes:
    return octets_of(text).upper()


def ascii_numeric(text: str) -> int | float:
    """The number at the start, however long; what has none is above all (RFC 4790
    §9.1)."""
    found = _DIGITS.match(text)
    return int(found[0][:4000]) if found else _INFINITY


MAPS: dict[str, Callable[[str], Key]] = {
    "i;octet": octet,
    "i;ascii-casemap": ascii_casemap,
    "i;ascii-numeric": ascii_numeric,
    "i;unicode-casemap": casemap,
}


RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def found(
    match: Match, values: Sequence[str], keys: Sequence[str], budget: Budget
) -> Found | None:
    """What the first key that fits one of the values matched: the whole, and what its
    wildcards stand for.  None if none does; () if it was no match with wildcards."""
    if match.kind in ("matches", "regex"):
        return _by_pattern(match, values, keys, budget)
    mapped = MAPS[match.comparator]
    budget.spend(1 + sum(map(len, values)) * len(keys) // _CHARACTERS + len(keys))
    wanted = [mapped(key) for key in keys]
    if match.kind == "count":
        count = mapped(str(len(values)))
        fits = any(RELATIONS[match.relation](count, key) for key in wanted)
        return () if fits else None
    for value in values:
        at = mapped(value)
        if match.kind == "is":
            if at in wanted:
                return ()
        elif match.kind == "value":
            if any(RELATIONS[match.relation](at, key) for key in wanted):
                return ()
        elif any(_contains(at, key) for key in wanted):
            return ()
    return None


def _contains(text: Key, key: Key) -> bool:
    if isinstance(text, bytes) and isinstance(key, bytes):
        return key in text
    return isinstance(text, str) and isinstance(key, str) and key in text


def _by_pattern(
    match: Match, values: Sequence[str], keys: Sequence[str], budget: Budget
) -> Found | None:
    make = wildcard if match.kind == "matches" else regex
    try:
        patterns = [make(key, match.comparator) for key in keys]
    except BadPattern as bad:
        raise budget.fail(str(bad)) from None
    for value in values:
        for pattern in patterns:
            budget.spend(1 + len(value) * pattern.size // _STATES)
            groups = pattern.search(value)
            if groups is not None:
                return groups
    return None
