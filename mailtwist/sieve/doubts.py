"""What is no mistake in a script, but hardly meant: warnings for its author."""

from __future__ import annotations

from collections.abc import Iterator

from .compiled import Call, Program
from .faults import Fault

MOST_DOUBTS = 20  # told of one script
_ENDS = frozenset({"stop", "return", "break", "error"})

Recipients = frozenset[tuple[object, ...]]  # whom redirects on one way name


def doubts(program: Program, redirects: int) -> tuple[Fault, ...]:
    """In the order of the script: what is never reached, and redirects beyond the
    number that one message may have."""
    walk = _Walk(redirects)
    walk.block(program.calls, frozenset())
    return tuple(sorted(walk.found)[:MOST_DOUBTS])


class _Walk:
    def __init__(self, redirects: int) -> None:
        self.found: list[Fault] = []
        self._redirects = redirects

    def block(
        self, calls: tuple[Call, ...], so_far: Recipients
    ) -> tuple[Recipients, bool]:
        """The redirects behind these commands, and True if nothing goes on there."""
        for at, call in enumerate(calls):
            so_far, over = self._call(call, so_far)
            if over:
                for unreached in calls[at + 1 : at + 2]:
                    self.found.append(Fault(unreached.place, "this is never reached"))
                return so_far, True
        return so_far, False

    def _call(self, call: Call, so_far: Recipients) -> tuple[Recipients, bool]:
        if call.name == "redirect":
            return self._redirect(call, so_far), False
        if call.branches:
            return self._branches(call, so_far)
        if call.block:  # of a loop: what leaves it goes on behind it
            return self.block(call.block, so_far)[0], False
        return so_far, call.name in _ENDS

    def _redirect(self, call: Call, so_far: Recipients) -> Recipients:
        named = (*call.texts.get("address", ()), "list" in call.tags)
        if named in so_far:
            return so_far
        if len(so_far) == self._redirects:
            most = self._redirects
            self.found.append(
                Fault(call.place, f"more than {most} redirects of one message fail")
            )
        return so_far | {named}

    def _branches(self, call: Call, so_far: Recipients) -> tuple[Recipients, bool]:
        """The way with most redirects counts, of those that go on."""
        ways = list(self._ways(call, so_far))
        going_on = [redirects for redirects, over in ways if not over]
        most = max(going_on, key=len, default=so_far)
        return most, not going_on

    def _ways(
        self, call: Call, so_far: Recipients
    ) -> Iterator[tuple[Recipients, bool]]:
        for _, calls in call.branches:
            yield self.block(calls, so_far)
        if all(test is not None for test, _ in call.branches):
            yield so_far, False
