"""How hard one destination is pressed: a window of attempts that follows its answers.

Pure: times are given.  As Postfix does it: the window grows while mail gets through and
shrinks with each failure to connect.  When a window's worth of attempts failed in a
row, the destination as a whole is put off, so that a thousand messages do not wait for
a time-out each; after the pause one attempt goes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..config.queueing import Queue
from .model import Outcome

_SITE = ("4.4.",)  # RFC 3463: network and routing
_CLOSING = "421"  # RFC 5321 §3.8: the host as a whole takes nothing now


def unreachable(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The failure of the destination itself, None if it answered for the recipients."""
    for outcome in outcomes:
        fault = outcome.fault
        if fault is None or not fault.temporary:
            return None
        ours = not outcome.reply and fault.status.startswith(_SITE)
        if not ours and not outcome.reply.startswith(_CLOSING):
            return None
    return outcomes[0] if outcomes else None


class Destination:
    """One key of `ITransport.destination`."""

    def __init__(self, config: Queue) -> None:
        self._config = config
        self.running = 0
        self.failure: Outcome | None = None  # why it is put off
        self.off_until_s = 0.0
        self._window = float(min(config.first_concurrency, config.concurrency))
        self._failed = 0.0  # windows' worth of failures in a row
        self._pauses = 0
        self._next_s = 0.0

    @property
    def window(self) -> int:
        """Attempts at once that are allowed now."""
        return max(1, int(self._window))

    @property
    def idle(self) -> bool:
        """True if nothing is known of it that would be missed."""
        return not self.running and not self._pauses

    def ready_at(self, now_s: float) -> float | None:
        """When a next attempt may begin; None: when one that runs has ended."""
        if self.running >= self.window:
            return None
        return max(now_s, self._next_s)

    def put_off(self, now_s: float) -> Outcome | None:
        """The failure that every attempt would have now; None: try."""
        return self.failure if now_s < self.off_until_s else None

    def began(self, now_s: float) -> None:
        """An attempt begins."""
        self.running += 1
        self._next_s = now_s + self._config.rate_s

    def ended(self, outcomes: Sequence[Outcome], now_s: float, pause_s: float) -> bool:
        """An attempt ended; True if the destination is put off for `pause_s` now."""
        self.running -= 1
        failure = unreachable(outcomes)
        if failure is None:
            self._succeeded()
            return False
        if now_s < self.off_until_s:
            return False  # one of those that were on their way
        self._failed += 1.0 / self.window
        self._window = max(1.0, self._window - 1.0)
        if self._failed < 0.999:
            return False
        self.failure, self.off_until_s = failure, now_s + pause_s
        self._window, self._pauses = 1.0, self._pauses + 1
        return True

    def abandoned(self) -> None:
        """An attempt ended and nothing was learnt."""
        self.running -= 1

    def revive(self) -> None:
        """Forget that it was put off."""
        self.failure, self.off_until_s, self._failed = None, 0.0, 0.0

    @property
    def pauses(self) -> int:
        """How often in a row it was put off, counting the present pause."""
        return self._pauses

    def _succeeded(self) -> None:
        config = self._config
        if self._pauses:  # it is back
            self._window = float(min(config.first_concurrency, config.concurrency))
            self._pauses = 0
        self.revive()
        self._window = min(float(config.concurrency), self._window + 1 / self._window)
