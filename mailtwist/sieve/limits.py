"""What a script may cost."""

from __future__ import annotations

from attrs import frozen

from .faults import Place, ScriptFailed

SLICE = 2_000  # units of work after which others get a turn; some milliseconds


@frozen
class Limits:
    """`work` in units of about a microsecond; one for each step, and more for text.

    RFC 5229 §3 asks for 128 variables of 4000 characters; RFC 6609 §3.2 for some depth
    of includes; RFC 5228 §2.10.4 allows limits on actions.
    """

    work: int = 1_000_000
    actions: int = 32
    redirects: int = 5
    includes: int = 10
    variables: int = 256
    variable_characters: int = 16_384
    all_characters: int = 1 << 20  # in all variables
    fields: int = 100  # that are added
    message_octets: int = 1 << 20  # that a script may add to a message
    parts: int = 1_000  # of a message that are looked at
    vacation_least_s: int = 60
    vacation_most_s: int = 365 * 86_400


class Budget:
    """What is left of the work."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.left = limits.work
        self._slice = limits.work - SLICE
        self.place = Place(1, 1)  # of what runs

    def spend(self, units: int) -> None:
        """Raises ScriptFailed if nothing is left."""
        self.left -= units
        if self.left < 0:
            raise ScriptFailed(self.place, "it does too much")

    @property
    def pause(self) -> bool:
        """True once after each slice of work."""
        if self.left > self._slice:
            return False
        self._slice = self.left - SLICE
        return True

    def fail(self, text: str) -> ScriptFailed:
        return ScriptFailed(self.place, text)
