"""Where a service runs: alone in its process, or as one of several workers."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import Factory, define

from .bus import Bus
from .memory import Memory


@define
class Place:
    """`first` is true if nobody else uses the data folder while we start: what a crash
    left behind may go.  `sockets` are descriptors of listeners, in their order, if they
    are bound already.  A bus that leads nowhere tells nobody anything.
    `memory` is shared by all workers."""

    alone: bool = True
    first: bool = True
    number: int = 0
    sockets: Sequence[int] | None = None
    bus: Bus = Factory(Bus)
    memory: Memory | None = None

    def has_most(self) -> bool:
        """True if another worker has fewer connections than we."""
        return self.memory is not None and self.memory.tally.has_most()

    def serve(self, serves: bool) -> None:
        """We take connections, or no more."""
        if self.memory is not None:
            self.memory.tally.serve(serves)
