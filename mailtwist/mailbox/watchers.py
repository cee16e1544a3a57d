"""Who is told that something happened in a mailbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.logger import Logger

log = Logger("mailtwist")

What = TypeVar("What")


class Watchers(Generic[What]):
    """As IMailbox.watch and IMailboxes.watch want them; one that fails does not hurt
    whose change it is."""

    def __init__(self) -> None:
        self._told: dict[object, Callable[[What], None]] = {}

    def __bool__(self) -> bool:
        return bool(self._told)

    def add(self, changed: Callable[[What], None]) -> Callable[[], None]:
        """Gives what ends it, which may be called again."""
        key = object()
        self._told[key] = changed

        def end() -> None:
            self._told.pop(key, None)

        return end

    def tell(self, what: What) -> None:
        for changed in list(self._told.values()):
            try:
                changed(what)
            except Exception:
                log.failure("telling a session of its mailbox")

    def clear(self) -> None:
        self._told.clear()
