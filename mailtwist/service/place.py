"""Where a service runs: alone in its process, or as one of several workers."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import Factory, define

from .bus import Bus


@define
class Place:
    """`first` is true if nobody else uses the data folder while we start: what a crash
    left behind may go.  `sockets` are descriptors of listeners, in their order, if they
    are bound already.  A bus that leads nowhere tells nobody anything."""

    alone: bool = True
    first: bool = True
    number: int = 0
    sockets: Sequence[int] | None = None
    bus: Bus = Factory(Bus)
