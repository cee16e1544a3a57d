"""SORT and THREAD (RFC 5256 §5, RFC 5267 §3, RFC 5957 §5)."""

from __future__ import annotations

from ...errors import BadParameter
from ...sort_key import SortCriterion, SortKey, ThreadAlgorithm
from ..types_search import Returns, Search, Sort, Thread
from .returns import try_returns
from .scanner import CommandScanner
from .search import charset_of, criteria
from .strings import parenthesized, sp, word

MOST_CRITERIA = 20


def sort(s: CommandScanner) -> Sort:
    """[SP search-return-opts] SP sort-criteria SP search-criteria."""
    returns = try_returns(s)
    sp(s)
    keys = tuple(parenthesized(s, _criterion))
    if len(keys) > MOST_CRITERIA:
        raise BadParameter(f"At most {MOST_CRITERIA} criteria")
    search = _searched(s, returns)
    relevancy = any(one.key is SortKey.RELEVANCY for one in keys)
    if relevancy and not (search.uses_fuzzy or search.uses_filter):
        raise BadParameter("RELEVANCY is for searches with FUZZY")
    return Sort(keys, search)


def thread(s: CommandScanner) -> Thread:
    """SP thread-alg SP search-criteria."""
    sp(s)
    name = word(s, "a threading algorithm")
    try:
        algorithm = ThreadAlgorithm(name)
    except ValueError as fault:
        raise BadParameter(f"Unknown threading algorithm {name[:40]}") from fault
    return Thread(algorithm, _searched(s, None))


def _searched(s: CommandScanner, returns: Returns | None) -> Search:
    """SP charset 1*(SP search-key)."""
    sp(s)
    charset = charset_of(s, returns)
    sp(s)
    return criteria(s, charset, returns)


def _criterion(s: CommandScanner) -> SortCriterion:
    """["REVERSE" SP] sort-key."""
    name = word(s, "a sort key")
    reverse = name == "REVERSE"
    if reverse:
        sp(s)
        name = word(s, "a sort key")
    try:
        return SortCriterion(SortKey(name), reverse)
    except ValueError as fault:
        raise BadParameter(f"Unknown sort key {name[:40]}") from fault
