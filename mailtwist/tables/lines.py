"""Text tables: lines of `key value`, as the source of Postfix's postmap."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from ..address import ascii_domain, normal_domain
from ..delivery.alias_grammar import Mistake, logical_lines, unquoted
from ..errors import BadAddress

_PAIR = re.compile(r'("(?:[^"\\]|\\.)*"(?:@\S+)?|[^\s"]\S*)\s+(\S.*)', re.DOTALL)
_QUOTED_KEY = re.compile(r'("(?:[^"\\]|\\.)*")(@\S+)?', re.DOTALL)


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
        whole = _QUOTED_KEY.fullmatch(key)
        if whole is not None and not whole[2]:  # "a key with spaces"
            key = unquoted(whole[1])
        yield Pair(line, normal_key(key), found[2].strip())


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
