"""Tables that somebody else keeps: asked in threads, remembered for a short time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from ..config.routing import Table
from ..errors import LookupFailed
from ..interfaces import ITable
from .lines import normal_key
from .pool import TablePool

log = Logger("mailtwist")

MOST_REMEMBERED = 20_000  # keys
MOST_VALUES = 10_000  # of one key


class SourceDown(Exception):
    """A source that cannot be asked now, and why, without a secret."""


@implementer(ITable)
class AskedTable:
    """See ITable.  `asking` gives what is run in a thread; that raises SourceDown."""

    whole_keys = False

    def __init__(
        self,
        reactor: Any,
        config: Table,
        pool: TablePool,
        asking: Callable[[], Callable[[str], str | None]],
    ) -> None:
        self.name = config.name
        self._reactor, self._pool, self._asking = reactor, pool, asking
        self._found_s, self._missing_s = config.cache_s, config.unknown_cache_s
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()
        self._down = False

    async def keys(self) -> Collection[str] | None:
        return None  # who is asked answers for a key

    async def find(self, key: str) -> str | None:
        """See ITable."""
        key = normal_key(key)
        known = self._known.get(key)
        if known is not None and self._reactor.seconds() < known[0]:
            return known[1]
        try:
            value = await self._pool.run(self._asking(), key)
        except SourceDown as fault:
            self._is_down(str(fault))
            raise LookupFailed() from fault
        except LookupFailed:
            raise
        except Exception as fault:
            log.failure("asking table {table}", table=self.name)
            raise LookupFailed() from fault
        if self._down:
            self._down = False
            log.info("table {table} can be asked again", table=self.name)
        self._remember(key, value)
        return value

    def _remember(self, key: str, value: str | None) -> None:
        kept_s = self._missing_s if value is None else self._found_s
        if not kept_s:
            return
        self._known[key] = (self._reactor.seconds() + kept_s, value)
        self._known.move_to_end(key)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)

    def _is_down(self, why: str) -> None:
        """One line when it goes down, not one for each question."""
        if not self._down:
            self._down = True
            log.error("table {table} cannot be asked: {why}", table=self.name, why=why)
