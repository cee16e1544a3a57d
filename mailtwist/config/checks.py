"""What a value in the configuration may be, said once for errors and the manual."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from attrs import Attribute, frozen


@frozen
class Check:
    """An attrs validator that can say what it allows."""

    allowed: str
    holds: Callable[[Any], bool]

    def __call__(self, instance: object, option: Attribute[Any], value: Any) -> None:
        if not self.holds(value):
            raise ValueError(self.allowed)


def ge(least: float) -> Check:
    """A number of at least `least`."""
    return Check(f"{least:g} or more", lambda value: value >= least)


def none_or_ge(least: float) -> Check:
    """0, or a number of at least `least`."""
    return Check(f"0, or {least:g} or more", lambda value: not value or value >= least)


def between(least: float, most: float) -> Check:
    """A number from `least` to `most`."""
    return Check(f"{least:g} to {most:g}", lambda value: least <= value <= most)


def some_of(choices: Iterable[str]) -> Check:
    """A list of these words."""
    words = frozenset(choices)
    return Check("some of " + ", ".join(sorted(words)), words.issuperset)


def le(most: float) -> Check:
    """A number of at most `most`."""
    return Check(f"{most:g} or less", lambda value: value <= most)


def in_(choices: Iterable[str]) -> Check:
    """One of these words."""
    words = tuple(choices)
    told = ", ".join(f'"{word}"' for word in words[:-1]) + f' or "{words[-1]}"'
    return Check(told, words.__contains__)


def matches_re(pattern: str, told: str | None = None) -> Check:
    """A str that `pattern` matches in full."""
    rule = re.compile(pattern)
    return Check(told or f"like {pattern}", lambda value: bool(rule.fullmatch(value)))


def reads(parse: Callable[[str], object], allowed: str) -> Check:
    """A text that `parse` takes without a ValueError, or an empty one."""

    def holds(text: str) -> bool:
        try:
            return not text or parse(text) is not None
        except ValueError:
            return False

    return Check(allowed, holds)
