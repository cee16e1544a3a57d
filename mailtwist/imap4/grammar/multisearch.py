"""ESEARCH (RFC 7377 §4)."""

from __future__ import annotations

import re

from attrs import evolve

from ...errors import BadParameter
from ...mailbox.model import Path
from ..types_search import MultiSearch, Returns, SearchReturn, SearchSource
from .notify import one_or_more
from .scanner import CommandScanner
from .search import search
from .strings import parenthesized, sp, word

MOST_SOURCES = 100

_IN = re.compile(rb" IN \(", re.I)
_SELECTED = ((SearchSource.SELECTED, ()),)
_WITH_PATHS = (SearchSource.MAILBOXES, SearchSource.SUBTREE, SearchSource.SUBTREE_ONE)

Source = tuple[SearchSource, tuple[Path, ...]]


def esearch(s: CommandScanner) -> MultiSearch:
    """[SP esearch-source-opts] [SP search-return-opts] SP search-program.

    There are no scope-options to know, so any is refused.
    """
    sources: tuple[Source, ...] = _SELECTED
    if s.try_match(_IN):
        s.at -= 1
        sources = tuple(parenthesized(s, _source))
        if len(sources) > MOST_SOURCES:
            raise BadParameter(f"At most {MOST_SOURCES} sources")
    found = search(s)
    returns = found.returns or Returns()
    others = [source for source in sources if source[0] is not SearchSource.SELECTED]
    if others and returns.asks(SearchReturn.SAVE):
        raise BadParameter("SAVE is for the selected mailbox alone")
    if returns.update is not None and len(others) == len(sources):
        raise BadParameter("UPDATE is for the selected mailbox alone")
    return MultiSearch(sources, evolve(found, returns=returns, uid=True))


def _source(s: CommandScanner) -> Source:
    name = word(s, "which mailboxes")
    try:
        source = SearchSource(name)
    except ValueError as fault:
        raise BadParameter(f"Unknown mailboxes {name[:40]}") from fault
    if source not in _WITH_PATHS:
        return source, ()
    sp(s)
    return source, one_or_more(s)
