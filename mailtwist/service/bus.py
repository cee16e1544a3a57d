"""What workers and their master tell each other: lines of JSON on a socket pair.

A line is [kind, ...].  What workers tell each other goes through the master and is a
hint: it may be lost or come twice, and whoever hears it looks for what is so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

log = Logger("mailtwist")

MOST_OCTETS = 256 * 1024

Heard = Callable[..., object]


@implementer(IPushProducer)
class End(Int32StringReceiver):
    """One end of a line.  `lost` is called when it is closed."""

    transport: Any
    MAX_LENGTH = MOST_OCTETS

    def __init__(self) -> None:
        self._slow, self.up = False, False
        self._kinds: dict[str, Heard] = {}
        self.lost: Callable[[], None] = lambda: None

    def hear(self, kind: str, call: Heard) -> None:
        """Call it with what stands behind `kind` in a line."""
        self._kinds[kind] = call

    def say(self, kind: str, *words: Any) -> bool:
        """False if nobody is there to hear it."""
        if self.up:
            self.sendString(json.dumps([kind, *words]).encode())
        return self.up

    def hint(self, octets: bytes) -> None:
        """A line that is left out while the other end is slow."""
        if self.up and not self._slow:
            self.sendString(octets)

    def close(self) -> None:
        if self.up:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # -- called by Twisted ------------------------------------------------------------

    def connectionMade(self) -> None:
        self.up = True
        self.transport.registerProducer(self, True)

    def stringReceived(self, string: bytes) -> None:
        kind, *words = json.loads(string)
        call = self._kinds.get(kind)
        if call is None:
            log.warn("nobody here hears {kind}", kind=kind)
            return
        try:
            call(*words)
        except Exception:
            log.failure("hearing {kind}", kind=kind)

    def pauseProducing(self) -> None:
        self._slow = True

    def resumeProducing(self) -> None:
        self._slow = False

    def stopProducing(self) -> None:
        self._slow = True

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.up = False
        self.lost()


class Bus(End):
    """A worker's end.  What others tell is heard by `on`."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, Heard] = {}
        self.hear("told", self._others_told)

    def tell(self, kind: str, *words: Any) -> None:
        """Hint to all other workers."""
        self.hint(json.dumps(["tell", kind, *words]).encode())

    def on(self, kind: str, call: Heard) -> None:
        """Call it with what others tell of this kind."""
        self._told[kind] = call

    def _others_told(self, kind: str, *words: Any) -> None:
        call = self._told.get(kind)
        if call is not None:
            call(*words)
