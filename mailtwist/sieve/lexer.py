"""The octets of a script to tokens (RFC 5228 §2 and §8.1).

Lines may end in LF alone, as files here do; in strings every line end becomes CRLF.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from .faults import Fault, Place, ScriptError

MOST_NUMBER = 2**63 - 1  # RFC 5228 §2.4.1 asks for 2**31 - 1 or more
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r\n]++|\#[^\n]*+\n?|/\*(?s:.*?)\*/)+)"
    r"|(?P<text>text:[ \t]*+(?:\#[^\n]*+|\r?)\n)"
    r"|(?P<number>[0-9]++[KMG]?)(?![A-Za-z0-9_])"
    r"|:(?P<tag>[A-Za-z_][A-Za-z0-9_]*+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*+)"
    r'|"(?P<quoted>[^"\\]*+(?:\\(?s:.)[^"\\]*+)*)"'
    r"|(?P<special>[()\[\]{},;])",
    re.I | re.A,
)
_TEXT_END = re.compile(r"^\.\r?(?:\n|\Z)", re.M)
_STUFFED = re.compile(r"^\.\.", re.M)
_ESCAPE = re.compile(r"\\(.)", re.S)
_LINE_END = re.compile(r"\r\n?|\n")


class Token(NamedTuple):
    """`kind` is number, tag, name, string, a special character, or "end".

    `text` is a string's value, a name or tag in lower case without its colon; `number`
    a number with its unit multiplied out.
    """

    kind: str
    place: Place
    text: str = ""
    number: int = 0

    def __str__(self) -> str:
        if self.kind in ("name", "tag"):
            return f'"{":" if self.kind == "tag" else ""}{self.text}"'
        if self.kind in ("string", "number"):
            return f"a {self.kind}"
        return "the end of the script" if self.kind == "end" else f'"{self.kind}"'


class Places:
    """Offsets of a text to lines and columns."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def of(self, at: int) -> Place:
        line = bisect_right(self._starts, at)
        return Place(line, at - self._starts[line - 1] + 1)


def tokens(script: bytes) -> Iterator[Token]:
    """The tokens of a script, the last one "end".  Raises ScriptError."""
    text = _decoded(script)
    places, at = Places(text), 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ScriptError(Fault(places.of(at), _unknown(text, at)))
        start, at, kind = at, found.end(), found.lastgroup
        if kind == "space":
            continue
        place = places.of(start)
        if kind == "text":
            end = _TEXT_END.search(text, at)
            if end is None:
                missing = 'text: without a line of "." that ends it'
                raise ScriptError(Fault(place, missing))
            value = _STUFFED.sub(".", text[at : end.start()])
            yield Token("string", place, _LINE_END.sub("\r\n", value))
            at = end.end()
        elif kind == "quoted":
            value = _LINE_END.sub("\r\n", found[kind])
            yield Token("string", place, _ESCAPE.sub(r"\1", value))
        elif kind == "number":
            yield Token("number", place, number=_number(found[kind], place))
        elif kind == "special":
            yield Token(found[kind], place)
        elif kind is not None:
            yield Token(kind, place, found[kind].lower())
    yield Token("end", places.of(len(text)))


def _decoded(script: bytes) -> str:
    try:
        text = script.decode("utf-8")
    except UnicodeDecodeError as bad:
        before = script[: bad.start].decode("utf-8")
        fault = Fault(Places(before).of(len(before)), "not UTF-8")
        raise ScriptError(fault) from None
    nul = text.find("\0")
    if nul >= 0:
        raise ScriptError(Fault(Places(text).of(nul), "a NUL character"))
    return text.removeprefix("\ufeff")


def _unknown(text: str, at: int) -> str:
    """What is wrong where no token begins."""
    if text[at] == '"':
        return "a string that does not end"
    if text.startswith("/*", at):
        return "a comment that does not end"
    if text[at].isascii() and text[at].isdigit():
        return "a number with something behind it"
    return f'unexpected "{text[at]}"'


def _number(text: str, place: Place) -> int:
    unit = text[-1:].upper() if text[-1:].isalpha() else ""
    digits = text.rstrip("kKmMgG").lstrip("0") or "0"
    value = int(digits) * _UNITS[unit] if len(digits) < 20 else MOST_NUMBER + 1
    if value > MOST_NUMBER:
        raise ScriptError(Fault(place, "a number too large"))
    return value
