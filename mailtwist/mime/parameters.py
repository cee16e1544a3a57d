"""Values with parameters: Content-Type, Content-Disposition (RFC 2045 §5.1, RFC 2231).

The grammar is read tolerantly, as mail programs write it: missing quotes, missing
semicolons at the end, comments, spaces around "=".  Nothing here raises.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from .charset import decoded_octets
from .header import unfold

Parameters = tuple[tuple[bytes, bytes], ...]

_TOKEN = re.compile(rb"[^\s;()<>@,:\\\"/\[\]?=]+")
_SPACE = re.compile(rb"\s*+(?:\([^()]*\)\s*+)*")
_NAME = re.compile(rb"\s*+([^\s=;\"()]+)\s*+=\s*+")
_QUOTED = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*)(?:"|\\?\Z)', re.S)
_BARE = re.compile(rb"[^;]*")
_COMMENT = re.compile(rb"\s+\(.*\)\s*\Z", re.S)
_ESCAPE = re.compile(rb"\\(.)", re.S)
_CONTINUED = re.compile(rb"(.+?)\*(\d{1,3})(\*?)", re.S)
_SIMPLE_TYPE = re.compile(rb"\s*+([!#-'*+.0-9A-Z^-~-]++)/([!#-'*+.0-9A-Z^-~-]++)\s*+\Z")

MOST = 256  # parameters of one value; mail programs write a dozen


def content_type(value: bytes) -> tuple[bytes, bytes, Parameters] | None:
    """(type, subtype, parameters) of a raw Content-Type value, type in lower case.

    None if there is no type in it; a missing subtype is b"".
    """
    found = _SIMPLE_TYPE.match(value)
    if found:
        return found[1].lower(), found[2].lower(), ()
    value = unfold(value)
    main = _TOKEN.match(value, _after_space(value, 0))
    if not main:
        return None
    at = _after_space(value, main.end())
    subtype = b""
    if value.startswith(b"/", at):
        sub = _TOKEN.match(value, _after_space(value, at + 1))
        if sub:
            subtype, at = sub[0], sub.end()
    return main[0].lower(), subtype.lower(), _parameters(value, at)


def disposition(value: bytes) -> tuple[bytes, Parameters] | None:
    """(type, parameters) of a raw Content-Disposition value; None if it has no type."""
    value = unfold(value)
    main = _TOKEN.match(value, _after_space(value, 0))
    return (main[0], _parameters(value, main.end())) if main else None


def parameter(parameters: Parameters, name: bytes) -> bytes | None:
    """The raw value of the parameter with this lower-case name, or None."""
    for key, value in parameters:
        if key.lower() == name:
            return value
    return None


def token(parameters: Parameters, name: bytes) -> bytes | None:
    """A parameter for programs (boundary, charset) in either form, unquoted."""
    plain = parameter(parameters, name)
    if plain:
        return plain.strip()
    text = decoded_parameter(parameters, name)
    return text.encode("latin-1", "replace").strip() if text else None


def decoded_parameter(parameters: Parameters, name: bytes) -> str | None:
    """A parameter for people: `name*` with its charset (RFC 2231 §4), else `name`."""
    extended = parameter(parameters, name + b"*")
    if extended is not None:
        charset, _, rest = extended.partition(b"'")
        _, _, text = rest.partition(b"'")
        return decoded_octets(unquote_to_bytes(text), charset)
    plain = parameter(parameters, name)
    return None if plain is None else decoded_octets(plain, b"utf-8")


def _after_space(value: bytes, at: int) -> int:
    """The offset behind white space and comments."""
    found = _SPACE.match(value, at)
    return found.end() if found else at


def _parameters(value: bytes, at: int) -> Parameters:
    found: list[tuple[bytes, bytes]] = []
    continued = False
    while len(found) < MOST:
        at = value.find(b";", at)
        if at < 0:
            break
        at = _after_space(value, at + 1)
        name = _NAME.match(value, at)
        if not name:
            continue
        at = _after_space(value, name.end())
        quoted = _QUOTED.match(value, at)
        if quoted:
            at = quoted.end()
            text = _ESCAPE.sub(rb"\1", quoted[1]) if b"\\" in quoted[1] else quoted[1]
        else:
            bare = _BARE.match(value, at)
            text = bare[0].rstrip() if bare else b""
            at += len(text)
            if b"(" in text:
                text = _COMMENT.sub(b"", text)
        found.append((name[1].lower(), text))
        continued = continued or b"*" in name[1]
    return _joined(found) if continued else tuple(found)


def _joined(found: list[tuple[bytes, bytes]]) -> Parameters:
    """Continuations put together (RFC 2231 §3): `name*`, still with % if any had it."""
    whole: list[tuple[bytes, bytes]] = []
    pieces: dict[bytes, list[tuple[int, bool, bytes]]] = {}
    for name, text in found:
        match = _CONTINUED.fullmatch(name)
        if not match:
            whole.append((name, text))
            continue
        if match[1] not in pieces:
            whole.append((match[1], b""))  # keeps its place in the order
        pieces.setdefault(match[1], []).append((int(match[2]), bool(match[3]), text))
    return tuple(
        _one(name, pieces[name]) if name in pieces and not text else (name, text)
        for name, text in whole
    )


def _one(name: bytes, pieces: list[tuple[int, bool, bytes]]) -> tuple[bytes, bytes]:
    pieces = sorted(pieces, key=lambda piece: piece[0])
    if not any(extended for _, extended, _ in pieces):
        return name, b"".join(text for _, _, text in pieces)
    if not pieces[0][1]:  # a plain first piece has no charset'language' in front
        pieces.insert(0, (-1, True, b"''"))
    return name + b"*", b"".join(
        text if extended else text.replace(b"%", b"%25") for _, extended, text in pieces
    )
