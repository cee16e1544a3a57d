"""Looking at folders now and then while sessions watch them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall

from .live import Live


class Polls:
    """One poll for each watched mailbox; two stat calls each if nothing happened."""

    def __init__(
        self,
        reactor: Any,
        every_s: float,
        unchanged: Callable[[Live], bool],
        refresh: Callable[[Live], Any],
    ) -> None:
        """`refresh` gives a Deferred that never fails; no poll overtakes it."""
        self._reactor, self._every_s = reactor, every_s
        self._unchanged, self._refresh = unchanged, refresh
        self._running: dict[Live, LoopingCall] = {}

    def begin(self, live: Live) -> None:
        """Poll until nobody watches any longer."""
        if live in self._running or not live.watched:
            return
        poll = LoopingCall(self._look, live)
        poll.clock = self._reactor
        self._running[live] = poll
        poll.start(self._every_s, now=False)

    def end(self, live: Live) -> None:
        """Stop if nobody watches."""
        if not live.watched or live.gone:
            poll = self._running.pop(live, None)
            if poll is not None and poll.running:
                poll.stop()

    def close(self) -> None:
        for poll in self._running.values():
            if poll.running:
                poll.stop()
        self._running.clear()

    def _look(self, live: Live) -> Any:
        if not live.watched or live.gone:
            self.end(live)
            return None
        return None if self._unchanged(live) else self._refresh(live)
