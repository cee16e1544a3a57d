"""Wildcards and regular expressions, in time linear in what they read.

Both are RE2's: it never goes back, so no pattern of a user can hold up the server, and
it has the syntax of POSIX extended regular expressions that the regex extension asks
for.  What is captured is what ${1} and so on stand for.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import normalize

import re2

from ..mime.compose import octets_of

MOST_PATTERN = 4096  # characters
MOST_MEMORY = 1 << 20  # octets that RE2 may take for one pattern


class BadPattern(ValueError):
    """A pattern that cannot be used."""


class Pattern:
    """A compiled pattern; `size` says how much a character may cost.

    `folded` if case is taken off what is searched, in ASCII, where that changes no
    offset; `composed` if it is compared in composed form (NFC).
    """

    def __init__(
        self, pattern: bytes, options: re2.Options, folded: bool, composed: bool
    ) -> None:
        try:
            self._pattern = re2.compile(pattern, options)
        except re2.error as bad:
            why = bad.args[0] if bad.args else b""
            why = why.decode("utf-8", "replace") if isinstance(why, bytes) else why
            raise BadPattern(f"not a regular expression: {why}") from None
        self._folded, self._composed = folded, composed
        self.size: int = self._pattern.programsize

    def search(self, text: str) -> tuple[str, ...] | None:
        """(the whole match, captures...); None without a match."""
        octets = octets_of(normalize("NFC", text) if self._composed else text)
        found = self._pattern.search(octets.upper() if self._folded else octets)
        if found is None:
            return None
        spans = [found.span(group) for group in range(self._pattern.groups + 1)]
        return tuple(
            octets[max(start, 0) : max(end, 0)].decode("utf-8", "surrogateescape")
            for start, end in spans
        )


def _options(comparator: str) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MOST_MEMORY
    options.case_sensitive = comparator != "i;unicode-casemap"
    return options


@lru_cache(1024)
def wildcard(key: str, comparator: str) -> Pattern:
    """:matches (RFC 5228 §2.7.1): "*" and "?" take as little as they can, and the whole
    text has to fit.  Raises BadPattern for one that is too long."""
    if len(key) > MOST_PATTERN:
        raise BadPattern(f"more than {MOST_PATTERN} characters in a pattern")
    folded = comparator == "i;ascii-casemap"
    composed = comparator == "i;unicode-casemap"
    made, literal = [r"(?s)\A"], ""
    at = 0
    while at < len(key):
        one = key[at]
        if one in "*?":
            made += [_literal(literal, folded, composed), _WILD[one]]
            literal = ""
        else:
            if one == "\\" and at + 1 < len(key):
                at += 1
            literal += key[at]
        at += 1
    pattern = "".join([*made, _literal(literal, folded, composed), r"\z"])
    return Pattern(octets_of(pattern), _options(comparator), folded, composed)


# Any octets: a text need not be UTF-8 if ${hex:} or a message brought other octets.
_WILD = {"*": r"(\C*?)", "?": "(.)"}


def _literal(text: str, folded: bool, composed: bool) -> str:
    if folded:
        text = octets_of(text).upper().decode("utf-8", "surrogateescape")
    if composed:
        text = normalize("NFC", text)
    quoted: bytes = re2.escape(octets_of(text))
    return quoted.decode("utf-8", "surrogateescape")


@lru_cache(1024)
def regex(key: str, comparator: str) -> Pattern:
    """:regex: an extended regular expression of POSIX, the longest match of the first
    place.  Raises BadPattern."""
    if len(key) > MOST_PATTERN:
        raise BadPattern(f"more than {MOST_PATTERN} characters in a pattern")
    composed = comparator == "i;unicode-casemap"
    options = _options(comparator)
    options.case_sensitive = comparator == "i;octet"
    options.posix_syntax = options.longest_match = True
    pattern = normalize("NFC", key) if composed else key
    return Pattern(octets_of(pattern), options, False, composed)
