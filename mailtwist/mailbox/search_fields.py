"""Search keys that one message's header fields answer, as tests on raw octets.

A test takes the fields and the same octets in lower case.  A whole tree of keys becomes
one test, so that each header is read once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from ..mime.date import day
from ..mime.index import KEPT_FIELDS
from ..search_key import And, Header, Not, Or, SearchKey, SentDate, When
from .search_needle import Needle

FieldTest = Callable[[bytes, bytes], bool]

_VALUE = re.compile(rb"[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)")


def by_fields(key: SearchKey) -> bool:
    """True if a header is enough to answer `key`."""
    match key:
        case Header() | SentDate():
            return True
        case Not(inner):
            return by_fields(inner)
        case Or(left, right):
            return by_fields(left) and by_fields(right)
        case And(keys):
            return bool(keys) and all(map(by_fields, keys))
    return False


def by_kept_fields(key: SearchKey) -> bool:
    """True if the fields in the cache are enough (given `by_fields`)."""
    match key:
        case Header(name):
            return name.lower().encode("utf-8", "replace") in KEPT_FIELDS
        case Not(inner):
            return by_kept_fields(inner)
        case Or(left, right):
            return by_kept_fields(left) and by_kept_fields(right)
        case And(keys):
            return all(map(by_kept_fields, keys))
    return True


def field_test(key: SearchKey) -> FieldTest:
    """The test for a key of which `by_fields` is true."""
    match key:
        case Header(name, needle):
            return _header(name.lower().encode("utf-8", "replace"), needle)
        case SentDate():
            return _sent(key)
        case Not(inner):
            negated = field_test(inner)
            return lambda raw, lower: not negated(raw, lower)
        case Or(left, right):
            one, other = field_test(left), field_test(right)
            return lambda raw, lower: one(raw, lower) or other(raw, lower)
        case And(keys):
            tests = [field_test(inner) for inner in keys]
            if len(tests) == 1:
                return tests[0]
            return lambda raw, lower: all(test(raw, lower) for test in tests)
    raise TypeError(f"{key!r} asks for more than a header")


def candidates(key: SearchKey, headers: Sequence[bytes]) -> Sequence[int]:
    """Which of `headers` a key may match, by their places: quicker than asking each,
    as most have no such word."""
    word = _word_of(key)
    if not word:
        return range(len(headers))
    lower = b"".join(headers).lower()
    starts = list(accumulate(map(len, headers), initial=0))
    found: set[int] = set()
    if not lower.isascii():
        found.update(at for at, one in enumerate(headers) if not one.isascii())
    for mark in (word, b"=?"):
        at = lower.find(mark)
        while at >= 0:
            place = bisect_right(starts, at) - 1
            found.add(place)
            at = lower.find(mark, starts[place + 1])
    return sorted(found)


def _word_of(key: SearchKey) -> bytes:
    """A word without which no header in plain ASCII can match."""
    match key:
        case Header(_, text) if text:
            return Needle(text).least
        case And(keys):
            return max(map(_word_of, keys), key=len, default=b"")
    return b""


def values(lower: bytes, name: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of each raw value of the field `name`; both in lower case."""
    line = b"\n" + name
    at = 0 if lower.startswith(name) else lower.find(line) + 1
    while at or lower.startswith(name):
        found = _VALUE.match(lower, at + len(name))
        if found:
            yield found.span(1)
        at = lower.find(line, at + len(name)) + 1
        if not at:
            return


def first_value(lower: bytes, name: bytes, line: bytes) -> tuple[int, int] | None:
    """What `values` gives first; `line` is the name behind a line end."""
    at = 0 if lower.startswith(name) else lower.find(line) + 1
    while at or lower.startswith(name):
        found = _VALUE.match(lower, at + len(name))
        if found:
            return found.span(1)
        at = lower.find(line, at + len(name)) + 1
        if not at:
            break
    return None


def _header(name: bytes, text: str) -> FieldTest:
    if not text:
        return lambda raw, lower: any(True for _ in values(lower, name))
    needle = Needle(text)
    absent = needle.absent

    def test(raw: bytes, lower: bytes) -> bool:
        if absent(lower):
            return False
        return any(
            needle.in_value(raw[start:end], lower[start:end])
            for start, end in values(lower, name)
        )

    return test


def _sent(key: SentDate) -> FieldTest:
    def test(raw: bytes, lower: bytes) -> bool:
        for start, end in values(lower, b"date"):
            sent = day(lower[start:end])
            if sent is None:
                return False
            if key.when is When.BEFORE:
                return sent < key.day
            return sent == key.day if key.when is When.ON else sent >= key.day
        return False

    return test
