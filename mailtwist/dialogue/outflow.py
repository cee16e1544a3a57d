"""Octets to a client that may read slowly: few writes, bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from .at_once import write_at_once

MOST_HELD = 64 * 1024  # octets gathered before they are written


@implementer(IPushProducer)
class Outflow:
    """Gathers answers; `drained` waits while the transport has enough.

    A peer that takes nothing for `stalled_s` seconds costs a call of `stalled`.
    """

    def __init__(
        self,
        transport: Any,
        reactor: Any,
        stalled_s: float,
        stalled: Callable[[], None],
    ) -> None:
        self._transport, self._reactor = transport, reactor
        self._stalled_s, self._stalled = stalled_s, stalled
        self._held: list[bytes] = []
        self._octets = 0
        self._paused = self._ended = False
        self._waiting: Deferred[None] | None = None
        self._timer: Any = None
        transport.registerProducer(self, True)

    def put(self, octets: bytes) -> None:
        self._held.append(octets)
        self._octets += len(octets)
        if self._octets >= MOST_HELD:
            self.flush()

    def flush(self) -> None:
        if self._held and not self._ended:
            octets = self._held[0] if len(self._held) == 1 else b"".join(self._held)
            write_at_once(self._transport, octets)
        self._held.clear()
        self._octets = 0

    @property
    def full(self) -> bool:
        """True while the client has to read first."""
        return self._paused

    async def drained(self) -> None:
        """Wait until more may be written."""
        while self._paused and not self._ended:
            self._waiting = Deferred()
            await self._waiting

    def end(self) -> None:
        """Write what is held and let the transport go; nothing is written after."""
        self.flush()
        if not self._ended:
            self._ended = True
            self._cancel_timer()
            self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self._paused = True
        if self._timer is None and not self._ended:
            self._timer = self._reactor.callLater(self._stalled_s, self._too_slow)

    def resumeProducing(self) -> None:
        self._paused = False
        self._cancel_timer()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def stopProducing(self) -> None:
        self._ended = True
        self._cancel_timer()

    def _too_slow(self) -> None:
        self._timer = None
        self._stalled()

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
