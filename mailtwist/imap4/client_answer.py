"""What an IMAP server says, as its client reads it: whole answers, and their values.

    Answers().take(octets)    answers as they become whole, literals and all
    values(octets)            the values of one: octets, None for NIL, lists of them

An answer keeps its literals where they stand, so both work on plain octets.  Servers
are many and their grammar is loose: anything between spaces and parentheses is a value.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from ..errors import SyntaxFault

MOST_LINE = 8 * 1024 * 1024  # of an answer without its literals: SEARCH in a large one
MOST_LITERAL = 128 * 1024 * 1024
MOST_DEPTH = 50  # of lists

Value: TypeAlias = "bytes | None | list[Value]"

_ENDS_IN_LITERAL = re.compile(rb"~?\{(\d{1,12})\+?\}\r\n\Z")
_LITERAL = re.compile(rb"~?\{(\d{1,12})\+?\}\r\n")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.S)
_ESCAPED = re.compile(rb"\\(.)", re.S)
# BODY[HEADER.FIELDS (TO)]<0> is one word.
_WORD = re.compile(rb"(?:[^\x00-\x20()\"\[\]{]|\[[^\[\]]*\]|\]|\{(?!\d+\+?\}\r\n))+")
_SPACES = re.compile(rb"[ \t]+")


class Answers:
    """Cuts a server's octets, taken in any pieces, into answers without their CRLF."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of the answer, before what is in `_rest`
        self._rest = b""
        self._literal = 0  # octets of a literal that are still to come
        self._held = 0  # octets of lines in `_parts`

    def take(self, octets: bytes) -> list[bytes]:
        """Raises SyntaxFault where a line or literal is too long."""
        found: list[bytes] = []
        if self._literal > len(octets):
            self._parts.append(octets)
            self._literal -= len(octets)
            return found
        self._rest += octets
        while self._rest:
            if self._literal:
                if not self._take_literal():
                    break
                continue
            line, end, rest = self._rest.partition(b"\n")
            if not end:
                break
            self._rest = rest
            self._parts.append(line + end)
            self._held += len(line) + 1
            literal = _ENDS_IN_LITERAL.search(line + end)
            if literal is not None:
                self._literal = int(literal[1])
                if self._literal > MOST_LITERAL:
                    raise SyntaxFault("a smaller literal", 0)
            else:
                found.append(b"".join(self._parts).rstrip(b"\r\n"))
                self._parts, self._held = [], 0
        if self._held + (0 if self._literal else len(self._rest)) > MOST_LINE:
            raise SyntaxFault("a shorter answer", 0)
        return found

    def _take_literal(self) -> bool:
        """False if more has to come."""
        taken = self._rest[: self._literal]
        self._parts.append(taken)
        self._rest = self._rest[len(taken) :]
        self._literal -= len(taken)
        return not self._literal


def values(octets: bytes, at: int = 0) -> list[Value]:
    """Everything from `at` on; raises SyntaxFault where a list does not end."""
    lists: list[list[Value]] = [[]]
    while at < len(octets):
        spaces = _SPACES.match(octets, at)
        if spaces:
            at = spaces.end()
            continue
        mark = octets[at : at + 1]
        if mark == b"(":
            lists.append([])
            if len(lists) > MOST_DEPTH:
                raise SyntaxFault("fewer lists in one another", at)
            at += 1
        elif mark == b")":
            if len(lists) < 2:
                raise SyntaxFault("a list", at)
            done = lists.pop()
            lists[-1].append(done)
            at += 1
        else:
            value, at = _value(octets, at)
            lists[-1].append(value)
    if len(lists) != 1:
        raise SyntaxFault("the end of a list", at)
    return lists[0]


def _value(octets: bytes, at: int) -> tuple[bytes | None, int]:
    quoted = _QUOTED.match(octets, at)
    if quoted:
        return _ESCAPED.sub(rb"\1", quoted[1]), quoted.end()
    literal = _LITERAL.match(octets, at)
    if literal:
        end = literal.end() + int(literal[1])
        if end > len(octets):
            raise SyntaxFault("a whole literal", at)
        return octets[literal.end() : end], end
    word = _WORD.match(octets, at)
    if word is None:
        raise SyntaxFault("a value", at)
    return None if word[0].upper() == b"NIL" else word[0], word.end()


def pairs(value: Value) -> dict[bytes, Value]:
    """A list of names and values, names in upper case; what is odd is left out."""
    if not isinstance(value, list):
        return {}
    names, held = value[::2], value[1::2]
    return {
        name.upper(): one
        for name, one in zip(names, held, strict=False)
        if isinstance(name, bytes)
    }


_CODE = re.compile(rb"\[([^\] ]+)(?: ([^\]]*))?\]")


def code_of(text: bytes) -> tuple[bytes, bytes]:
    """The response code of a status answer's text, in upper case, and what it says."""
    found = _CODE.match(text)
    return (found[1].upper(), found[2] or b"") if found else (b"", b"")


def quoted(octets: bytes) -> bytes | None:
    """A quoted string; None if only a literal can hold it."""
    if b"\r" in octets or b"\n" in octets or b"\0" in octets or not octets.isascii():
        return None
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
