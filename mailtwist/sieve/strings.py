"""Strings of a script with what they stand for: encoded characters and variables.

RFC 5228 §2.4.2.4 and RFC 5229 §3.  Encoded characters are taken first, once.
"""

from __future__ import annotations

import re

from attrs import frozen

_ENCODED = re.compile(
    r"\$\{(?:(hex):[ \t\r\n]*+((?:[0-9a-f]{1,2}(?:[ \t\r\n]++|(?=\})))+)"
    r"|(unicode):[ \t\r\n]*+([0-9a-f][0-9a-f \t\r\n]*+))\}",
    re.I | re.A,
)
_REFERENCE = re.compile(
    r"\$\{(?:([0-9]++)|((?:[A-Za-z_][A-Za-z0-9_]*+\.(?:[A-Za-z0-9_]++\.)*)?)"
    r"([A-Za-z_][A-Za-z0-9_]*+|[0-9]++))\}"
)
NAMESPACE = "global"  # the one there is (RFC 6609 §3.4.2)


@frozen
class Variable:
    """A reference: `name` in lower case; `shared` for ${global.name}."""

    name: str
    shared: bool = False


@frozen
class Matched:
    """${0}, ${1}, ...: what the last match found."""

    number: int


@frozen
class Expansion:
    """A string with references in it."""

    pieces: tuple[str | Variable | Matched, ...]


Template = str | Expansion


class BadCharacter(ValueError):
    """${unicode:...} with a number that is no character."""


class UnknownNamespace(ValueError):
    """A reference into a namespace that nothing brings."""


def decoded(text: str) -> str:
    """`text` with its encoded characters.  Raises BadCharacter.

    Octets that are no UTF-8 stay as surrogates, as elsewhere in Python."""
    return _ENCODED.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    if found[1]:
        octets = bytes(int(pair, 16) for pair in found[2].split())
        return octets.decode("utf-8", "surrogateescape")
    made = []
    for digits in found[4].split():
        digits = digits.lstrip("0") or "0"
        value = int(digits, 16) if len(digits) <= 6 else 0x110000
        if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
            raise BadCharacter(f"{found[0]} is no character")
        made.append(chr(value))
    return "".join(made)


def template(text: str) -> Template:
    """`text` with its references found.  Raises UnknownNamespace."""
    if "${" not in text:
        return text
    pieces: list[str | Variable | Matched] = []
    at = 0
    for found in _REFERENCE.finditer(text):
        if found.start() > at:
            pieces.append(text[at : found.start()])
        at = found.end()
        number, namespace, name = found.groups()
        if number is not None:
            pieces.append(Matched(min(int(number[:9]), 1000)))
            continue
        namespace = namespace.rstrip(".").lower()
        if namespace not in ("", NAMESPACE):
            raise UnknownNamespace(f'unknown namespace "{namespace}"')
        pieces.append(Variable(name.lower(), bool(namespace)))
    if not pieces:
        return text
    if at < len(text):
        pieces.append(text[at:])
    return Expansion(tuple(pieces))
