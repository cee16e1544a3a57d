"""A table whose entries stand in the configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from zope.interface import implementer

from ..delivery.alias_grammar import Mistake
from ..errors import ConfigError
from ..interfaces import ITable
from .lines import normal_key, pairs


@implementer(ITable)
class InlineTable:
    """See ITable.  Raises ConfigError for an entry that is not "key value"."""

    whole_keys = False

    def __init__(self, name: str, entries: Iterable[str]) -> None:
        self.name = name
        self._values: dict[str, str] = {}
        for entry in entries:
            for pair in pairs(entry):
                if isinstance(pair, Mistake):
                    raise ConfigError(
                        f"table {name}: {entry!r} is not allowed: give {pair.expected}"
                    )
                self._values.setdefault(pair.key, pair.value)

    async def find(self, key: str) -> str | None:
        return self._values.get(normal_key(key))

    async def keys(self) -> Collection[str] | None:
        return self._values.keys()
