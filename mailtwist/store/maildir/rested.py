"""Figures of mailboxes that nobody has open, so that not all of them need be in memory.

A client that asks for the STATUS of ten thousand mailboxes leaves a few of them loaded,
and of the others what it was told, good while their folders look the same.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Protocol

from attrs import frozen

from ...mailbox.model import MailboxStatus, Path
from .live import Live, Stamp

MOST_LOADED = 100  # mailboxes of an account that no session has open
MOST_RESTED = 20_000  # of which the figures are kept


class Looked(Protocol):
    """What a look at a folder goes by."""

    @property
    def folder(self) -> str: ...
    @property
    def stamp(self) -> Stamp | None: ...
    @property
    def doubted_at(self) -> float | None: ...


@frozen
class Rested:
    """A mailbox as it was when it was put away."""

    folder: str
    stamp: Stamp | None
    doubted_at: float | None
    status: MailboxStatus


class RestedMailboxes:
    """Those of one account by path."""

    def __init__(self) -> None:
        self._rested: dict[Path, Rested] = {}

    def forget(self) -> None:
        """Names changed."""
        self._rested.clear()

    def get(self, path: Path) -> Rested | None:
        return self._rested.get(path)

    def put_away(self, loaded: MutableMapping[Path, Live]) -> None:
        """The mailboxes that were loaded first, if there are too many."""
        if len(loaded) <= MOST_LOADED:
            return
        idle = [p for p, live in loaded.items() if not (live.handles or live.watched)]
        for path in idle[: len(idle) - MOST_LOADED]:
            live = loaded.pop(path)
            self._rested.pop(path, None)
            self._rested[path] = Rested(
                live.folder, live.stamp, live.doubted_at, live.status()
            )
        while len(self._rested) > MOST_RESTED:
            del self._rested[next(iter(self._rested))]
