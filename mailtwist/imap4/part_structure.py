"""BODYSTRUCTURE of one part, cut out of that of its message (RFC 3501 §7.4.2)."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    rb'[ ]*(?:(?P<open>\()|(?P<close>\))|(?P<quoted>"(?:[^"\\]|\\.)*+")'
    rb"|\{(?P<count>[0-9]+)\}\r\n|(?P<atom>[^ ()\"{]+))",
    re.S,
)
_BODY_OF_MESSAGE = 8  # its place among the elements of a message/rfc822


def structure_of_part(rendered: bytes, part: tuple[int, ...]) -> bytes | None:
    """The list that describes the part of this number; None if there is none.

    `rendered` is the BODYSTRUCTURE of the whole message; () is the message itself.
    """
    found, whole = rendered, True
    for number in part:
        elements = _elements(found)
        if not whole and _encapsulates(elements):
            found, whole = elements[_BODY_OF_MESSAGE], True
            elements = _elements(found)
        if elements and elements[0].startswith(b"("):
            count = next(
                (at for at, one in enumerate(elements) if not one.startswith(b"(")),
                len(elements),
            )
            if number > count:
                return None
            found, whole = elements[number - 1], False
        elif whole and number == 1:
            whole = False
        else:
            return None
    return found


def _encapsulates(elements: list[bytes]) -> bool:
    kind = [element.strip(b'"').upper() for element in elements[:2]]
    known = kind in ([b"MESSAGE", b"RFC822"], [b"MESSAGE", b"GLOBAL"])
    return known and len(elements) > _BODY_OF_MESSAGE


def _elements(octets: bytes) -> list[bytes]:
    """What stands in a parenthesized list, each as it is written."""
    found: list[bytes] = []
    at, depth, start = 0, 0, 0
    while token := _TOKEN.match(octets, at):
        begin, at = token.start(token.lastgroup or 0), token.end()
        if token["open"]:
            depth += 1
            if depth == 2:
                start = begin
            continue
        if token["close"]:
            depth -= 1
            if depth == 1:
                found.append(octets[start:at])
            continue
        if token["count"]:
            at += int(token["count"])
            begin = token.start("count") - 1
        if depth == 1:
            found.append(octets[begin:at])
    return found
