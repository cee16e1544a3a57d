"""Changes of mailboxes that no kernel tells of: keywords, names, annotations."""

from __future__ import annotations

from typing import Any

from ..mailbox.model import Path
from ..store.maildir.store import MaildirStore
from .bus import Bus

MOST_TOLD = 1000  # in one hint


class MailboxHints:
    """Passes them between the stores of all workers, each once in a turn of the
    reactor."""

    def __init__(self, reactor: Any, store: MaildirStore, bus: Bus) -> None:
        self._reactor, self._store, self._bus = reactor, store, bus
        self._news: dict[tuple[str, Path | None], None] = {}
        store.hint = self._changed
        bus.on("mailboxes", self._heard)

    def _changed(self, home: str, path: Path | None) -> None:
        if not self._bus.up:
            return
        if not self._news:
            self._reactor.callLater(0, self._tell)
        self._news[home, path] = None

    def _tell(self) -> None:
        news, self._news = list(self._news), {}
        for at in range(0, len(news), MOST_TOLD):
            self._bus.tell("mailboxes", news[at : at + MOST_TOLD])

    def _heard(self, news: list[tuple[str, list[str] | None]]) -> None:
        for home, path in news:
            self._store.hinted(home, None if path is None else tuple(path))
