"""Lists of tag=value pairs (RFC 6376 §3.2), as DKIM, ARC and DMARC have them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

MOST_OCTETS = 16 * 1024  # of one list
MOST_TAGS = 100

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_WHITE = re.compile(r"[ \t\r\n]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")


class BadTags(Exception):
    """What is no list of tags, or has one twice."""


def tags(text: str | bytes) -> dict[str, str]:
    """Each tag once, its value without white space around it; raises BadTags."""
    if len(text) > MOST_OCTETS:
        raise BadTags("is too long")
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as bad:
            raise BadTags("is not UTF-8") from bad
    found: dict[str, str] = {}
    parts = text.split(";", MOST_TAGS)
    if not parts[-1].strip(" \t\r\n"):
        parts.pop()
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or not _NAME.match(name):
            raise BadTags(f"has no tag in {part.strip()[:40]!r}")
        if name in found:
            raise BadTags(f"has the tag {name} twice")
        found[name] = value.strip(" \t\r\n")
    return found


def without_white(value: str) -> str:
    """A value in which white space means nothing."""
    return _WHITE.sub("", value)


def words(value: str) -> list[str]:
    """A colon-separated list, lower case."""
    return [word.lower() for word in without_white(value).split(":")]


def base64(value: str) -> bytes:
    """Raises BadTags."""
    value = without_white(value)
    if not _BASE64.match(value) or len(value) % 4:
        raise BadTags("is not base64")
    return b64decode(value)


def folded_base64(octets: bytes, indent: str = "\t ", width: int = 72) -> str:
    """In lines that fit into a header field."""
    text = b64encode(octets).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return f"\r\n{indent}".join(lines)
