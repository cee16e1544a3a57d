"""Text tables: lines of `key value`, as the source of Postfix's postmap."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from attrs import frozen

from ..address import ascii_domain, normal_domain
from ..delivery.alias_grammar import Mistake, entries, logical_lines, unquoted
from ..errors import BadAddress

_PAIR = re.compile(r'("(?:[^"\\]|\\.)*"(?:@\S+)?|[^\s"]\S*)\s+(\S.*)', re.DOTALL)
_QUOTED_KEY = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


@frozen
class Pair:
    """One line: its number, its key as `normal_key` makes it, its value."""

    line: int
    key: str
    value: str


def pairs(text: str) -> Iterator[Pair | Mistake]:
    """The lines of a table; comments and continuations as in aliases(5)."""
    for line, logical in logical_lines(text):
        found = _PAIR.fullmatch(logical)
        if found is None:
            yield Mistake(line, '"key value"')
            continue
        key = found[1]
        if _QUOTED_KEY.fullmatch(key):  # "a key with spaces"
            key = unquoted(key)
        yield Pair(line, normal_key(key), found[2].strip())


def aliases(text: str) -> Iterator[Pair | Mistake]:
    """The same of a file in aliases(5) form."""
    for one in entries(text):
        if isinstance(one, Mistake):
            yield one
        else:
            yield Pair(one.line, normal_key(one.name), one.text)


def normal_key(text: str) -> str:
    """How keys are compared: lower case, domains as A-labels."""
    text = text.lower()
    if text.isascii():
        return text
    before, mark, domain = text.rpartition("@")
    dot = "." if domain.startswith(".") else ""
    try:
        return before + mark + dot + ascii_domain(normal_domain(domain[len(dot) :]))
    except BadAddress:
        return text


class HeldPairs:
    """A table in memory; of two lines with one key the first counts."""

    def __init__(self, parse: Callable[[str], Iterator[Pair | Mistake]]) -> None:
        self._parse = parse
        self._values: dict[str, str] = {}
        self.mistakes: list[Mistake] = []

    def read(self, text: str) -> Iterator[None]:
        """Takes the lines in; the caller may pause after each."""
        for one in self._parse(text):
            if isinstance(one, Mistake):
                self.mistakes.append(one)
            elif one.key in self._values:
                self.mistakes.append(Mistake(one.line, f"{one.key} only once", True))
            else:
                self._values[one.key] = one.value
            yield

    def keys(self) -> Collection[str] | None:
        return self._values.keys()

    def find(self, key: str) -> str | None:
        return self._values.get(normal_key(key))
