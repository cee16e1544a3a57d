"""How much mail an address gets because somebody wrote commands in its name."""

from __future__ import annotations

from collections import OrderedDict

from attrs import frozen

from ..config.option import HOUR_S

MOST_ANSWERS = 20  # in EVERY_S, to one address
EVERY_S = HOUR_S
MOST_ADDRESSES = 10_000  # that are remembered


@frozen
class _Count:
    since_s: float
    answers: int


class Answers:
    """Counts in memory: what a restart forgets does no harm (RFC 3834 §2)."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def may(self, key: str, now_s: float) -> bool:
        """True, and counted, if the address may get one more."""
        held = self._counts.pop(key, None)
        if held is None or now_s - held.since_s >= EVERY_S:
            held = _Count(now_s, 0)
        allowed = held.answers < MOST_ANSWERS
        self._counts[key] = _Count(held.since_s, held.answers + allowed)
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)
        return allowed
