"""A checked script, as the interpreter takes it: frozen values without syntax."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from .faults import Place
from .strings import Template


@frozen
class Match:
    """How strings are compared: a match type, a comparator, and for "count" and "value"
    the relation (RFC 5231 §4)."""

    kind: str = "is"
    comparator: str = "i;ascii-casemap"
    relation: str = ""


DEFAULT_MATCH = Match()


@frozen(eq=False)
class Call:
    """A command or test with its arguments by name.

    `tags` that were given; `numbers` and `texts` are the values of parameters and tags,
    a single string as a tuple of one; `branches` those of an if with its elsif and
    else, a test of None is always true.
    """

    name: str
    place: Place
    tags: frozenset[str] = frozenset()
    numbers: Mapping[str, int] = field(factory=dict)
    texts: Mapping[str, tuple[Template, ...]] = field(factory=dict)
    match: Match = DEFAULT_MATCH
    tests: tuple[Call, ...] = ()
    block: tuple[Call, ...] = ()
    branches: tuple[tuple[Call | None, tuple[Call, ...]], ...] = ()


@frozen(eq=False)
class Program:
    """A whole script; `extensions` those that it may use: `required` ones, and others
    that it asks for with ihave."""

    calls: tuple[Call, ...]
    extensions: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
