"""Atoms, strings and numbers (RFC 3501 §4, §9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from ...errors import SyntaxFault
from .scanner import CommandScanner

T = TypeVar("T")

ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
ASTRING_CHARS = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
LIST_CHARS = re.compile(rb'[^\x00-\x20\x7f-\xff(){"\\]+')
# Quirk: octets above 127 in quoted strings, as clients send passwords and names so.
QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
ESCAPE = re.compile(rb"\\(.)")
LITERAL = re.compile(rb"\{[0-9]+\+?\}\r\n")
NIL = re.compile(rb'NIL(?![^\x00-\x20\x7f-\xff(){%*"\\])', re.I)
NUMBER = re.compile(rb"[0-9]{1,19}(?![0-9])")
WORD = re.compile(rb"[A-Za-z0-9.+-]+")
SPACES = re.compile(rb" +\Z")

MOST_NUMBER = 0xFFFF_FFFF
MOST_MOD_SEQUENCE = 0x7FFF_FFFF_FFFF_FFFF  # RFC 7162 §7


def sp(s: CommandScanner) -> None:
    s.expect(b" ", "a space")


def end_of_command(s: CommandScanner) -> None:
    """Quirk: spaces before the line end, which several clients send."""
    s.try_match(SPACES)
    s.end()


def atom(s: CommandScanner, name: str = "an atom") -> bytes:
    return s.match(ATOM, name)[0]


def word(s: CommandScanner, name: str = "a keyword") -> str:
    """A word of the protocol's own, in upper case."""
    return s.match(WORD, name)[0].decode().upper()


def try_quoted(s: CommandScanner) -> bytes | None:
    """quoted: its octets, unescaped; with `s.utf8` they are UTF-8 (RFC 6855 §3)."""
    found = s.try_match(QUOTED)
    if found is None:
        return None
    octets = ESCAPE.sub(rb"\1", found[1])
    if s.utf8 and not octets.isascii():
        text(s, octets, "a quoted string")
    return octets


def try_literal(s: CommandScanner) -> bytes | None:
    """literal: its octets, which hold no NUL (CHAR8)."""
    found = s.try_match(LITERAL)
    if not found:
        return None
    octets = s.literals.get(found.end())
    if octets is None or b"\x00" in octets:
        raise SyntaxFault("a literal without NUL", found.start())
    return octets


def string(s: CommandScanner, name: str = "a string") -> bytes:
    octets = try_quoted(s)
    if octets is None:
        octets = try_literal(s)
    if octets is None:
        raise SyntaxFault(name, s.at)
    return octets


def astring(s: CommandScanner, name: str = "an astring") -> bytes:
    found = s.try_match(ASTRING_CHARS)
    return found[0] if found else string(s, name)


def list_mailbox(s: CommandScanner) -> bytes:
    found = s.try_match(LIST_CHARS)
    return found[0] if found else string(s, "a mailbox pattern")


def nstring(s: CommandScanner) -> bytes | None:
    return None if s.try_match(NIL) else string(s, "a string or NIL")


def number(s: CommandScanner, name: str = "a number", most: int = MOST_NUMBER) -> int:
    """number: 0 to `most`."""
    at = s.at
    value = int(s.match(NUMBER, name)[0])
    if value > most:
        raise SyntaxFault(f"{name} up to {most}", at)
    return value


def nz_number(
    s: CommandScanner, name: str = "a number above 0", most: int = MOST_NUMBER
) -> int:
    at = s.at
    value = number(s, name, most)
    if not value:
        raise SyntaxFault(name, at)
    return value


def mod_sequence(s: CommandScanner) -> int:
    """mod-sequence-valzer (RFC 7162 §7): 0 to 2**63 - 1."""
    return number(s, "a mod-sequence", MOST_MOD_SEQUENCE)


def text(s: CommandScanner, octets: bytes, name: str) -> str:
    """`octets` just read, as UTF-8."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise SyntaxFault(f"{name} in UTF-8", s.at) from fault


def parenthesized(
    s: CommandScanner, item: Callable[[CommandScanner], T], *, empty: bool = False
) -> list[T]:
    """ "(" item *(SP item) ")"; with `empty` also "()"."""
    s.expect(b"(", "an opening parenthesis")
    items: list[T] = []
    if empty and s.skip(b")"):
        return items
    items.append(item(s))
    while not s.skip(b")"):
        sp(s)
        items.append(item(s))
    return items
