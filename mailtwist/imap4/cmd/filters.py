"""FILTER in searches (RFC 5466): searches that are kept as annotations by their names.

They are put in before anything is looked for, each as one key in parentheses: behind
NOT the whole filter is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from attrs import evolve

from ...config.reading import filters_of
from ...errors import (
    BadFilter,
    BadFilterName,
    BadParameter,
    MailError,
    SyntaxFault,
    TooManyFilters,
    UidRequired,
    UndefinedFilter,
)
from ...mailbox.metadata import ACCOUNT
from ...search_key import And, Filter, Fuzzy, Not, Or, SearchKey
from ...sort_key import SortKey
from ..grammar.filter import filter_value, is_filter_name
from ..session import Session
from ..types_search import MultiSearch, Search, SearchReturn, Sort, Thread

MOST_PASSES = 10  # filters within filters; three at least (§3.1)
MOST_FILTERS = 100  # that are put into one search

_PRIVATE, SHARED = "/private/filters/values", "/shared/filters/values"
_NO_SEARCH = (SyntaxFault, BadParameter, UidRequired)

Command = TypeVar("Command")


def check_filters(values: Iterable[tuple[str, bytes | None]]) -> None:
    """Entries of the server that are to be set: those of filters have to be searches.

    Raises BadFilter, BadFilterName.  What is in them by name may come later.
    """
    for name, value in values:
        if value is None or not f"{name}/".startswith(f"{_PRIVATE}/"):
            continue
        named = name[len(_PRIVATE) + 1 :]
        if not is_filter_name(named):
            raise BadFilterName()
        _parsed(named, value)


async def put_in(session: Session, command: Command) -> Command:
    """`command` with the filters in its search put in.

    Raises UndefinedFilter, BadFilter, TooManyFilters; BadParameter if scores are asked
    for and no FUZZY came out of them.
    """
    given: Any = command
    if isinstance(given, Search) and given.uses_filter:
        given = await _put_in(session, given, scored=False)
    elif isinstance(given, MultiSearch | Sort | Thread) and given.search.uses_filter:
        scored = isinstance(given, Sort) and any(
            one.key is SortKey.RELEVANCY for one in given.criteria
        )
        search = await _put_in(session, given.search, scored=scored)
        given = evolve(given, search=search)
    whole: Command = given
    return whole


async def _put_in(session: Session, search: Search, *, scored: bool) -> Search:
    returns, run = search.returns, _Run(session, search)
    try:
        key = await run.put_in(search.key)
    except MailError:
        saves = returns is not None and returns.asks(SearchReturn.SAVE)
        if saves and session.selected is not None:  # RFC 5182 §2.1
            session.selected.saved = []
        raise
    asked = returns is not None and returns.asks(SearchReturn.RELEVANCY)
    if (scored or asked) and not run.uses_fuzzy:
        raise BadParameter("RELEVANCY is for searches with FUZZY")
    return evolve(
        search,
        key=key,
        uses_modseq=run.uses_modseq,
        uses_fuzzy=run.uses_fuzzy,
        uses_filter=False,
    )


class _Run:
    """One search, its filters looked up once each."""

    def __init__(self, session: Session, search: Search) -> None:
        self._session = session
        self.uses_modseq, self.uses_fuzzy = search.uses_modseq, search.uses_fuzzy
        self._values: dict[str, bytes | None] = {}
        self._count = 0

    async def put_in(
        self, key: SearchKey, level: int = 1, within: tuple[str, ...] = ()
    ) -> SearchKey:
        """`key` at that level of the search, in the filters `within`, outermost
        first."""
        match key:
            case Filter(name):
                return await self._filter(name, level, within)
            case Not(inner):
                return Not(await self.put_in(inner, level + 1, within))
            case Fuzzy(inner):
                return Fuzzy(await self.put_in(inner, level + 1, within))
            case Or(left, right):
                return Or(
                    await self.put_in(left, level + 1, within),
                    await self.put_in(right, level + 1, within),
                )
            case And(keys):
                return And(await self._all(keys, level + 1, within))
        return key

    async def _all(
        self, keys: Sequence[SearchKey], level: int, within: tuple[str, ...]
    ) -> tuple[SearchKey, ...]:
        """Keys of one And, those of filters among them as if they were written."""
        found: list[SearchKey] = []
        for one in keys:
            whole = await self.put_in(one, level, within)
            if isinstance(one, Filter) and isinstance(whole, And):
                found += whole.keys
            else:
                found.append(whole)
        return tuple(found)

    async def _filter(
        self, written: str, level: int, within: tuple[str, ...]
    ) -> SearchKey:
        name = written.lower()  # as the names of entries are
        if name in within or len(within) >= MOST_PASSES:
            raise UndefinedFilter(written)
        self._count += 1
        if self._count > MOST_FILTERS:
            raise TooManyFilters()
        value = await self._value(name)
        if value is None:
            raise UndefinedFilter(written)
        uid_only = self._session.engine.uid_only
        search = _parsed(written, value, uid_only=uid_only, level=level)
        self.uses_modseq |= search.uses_modseq
        self.uses_fuzzy |= search.uses_fuzzy
        if not search.uses_filter:
            return search.key
        return await self.put_in(search.key, level, (*within, name))

    async def _value(self, name: str) -> bytes | None:
        """The private one first (§3.1)."""
        if name not in self._values:
            names = (f"{_PRIVATE}/{name}", f"{SHARED}/{name}")
            held = await self._session.mailboxes.metadata(ACCOUNT, names)
            values = {
                f"{SHARED}/{shared}": value
                for shared, value in filters_of(self._session.config.filters).items()
            }
            values |= {one.name: one.value for one in held}
            found = (values[one] for one in names if one in values)
            self._values[name] = next(found, None)
        return self._values[name]


def _parsed(
    name: str, value: bytes, *, uid_only: bool = False, level: int = 0
) -> Search:
    try:
        return filter_value(value, uid_only=uid_only, level=level)
    except _NO_SEARCH as fault:
        raise BadFilter(name, fault.public) from fault
