"""The text of HTML as a person reads it, near enough to search in it."""

from __future__ import annotations

import re
from html import unescape

# What is not shown, then tags and comments; an unclosed one goes on to the end.
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|title|head)\b.*?(?:</\1\s*>|\Z)|<[a-z/!?][^>]*>?",
    re.I | re.S,
)
_ENTITY = re.compile(
    r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});"
)
_SPACE = re.compile(r"\s+")


def visible(source: str) -> str:
    """Tags become spaces, entities what they stand for, white space one space.

    Entities that stand for ASCII letters and digits stay as they are: then a word of
    those is found in this text only if it is in the source too.
    """
    text = _HIDDEN.sub(" ", source)
    if "&" in text:
        text = _ENTITY.sub(_character, text)
    return _SPACE.sub(" ", text)


def _character(entity: re.Match[str]) -> str:
    found = unescape(entity[0])
    return entity[0] if found.isascii() and found.isalnum() else found
