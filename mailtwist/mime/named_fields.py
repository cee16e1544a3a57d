"""Header fields by name, as people read them."""

from __future__ import annotations

from .header import fields, unfold
from .text import decoded_words


def named_fields(header: bytes) -> dict[str, str]:
    """The first of each name, in lower case, with its value decoded on one line."""
    found: dict[str, str] = {}
    for name, raw in fields(header):
        value = decoded_words(unfold(raw.partition(b":")[2]))
        found.setdefault(name.decode("ascii", "replace").lower(), value.strip())
    return found
