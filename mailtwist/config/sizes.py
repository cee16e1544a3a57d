"""Sizes in octets as people write them."""

from __future__ import annotations

import re

OCTETS: dict[str, float] = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": 1024**3,
    "TIB": 1024**4,
}
WITH_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def octets_of(text: str) -> int | None:
    """The octets in a text like "1 GiB" or "1000"; None if it is no size."""
    match = WITH_UNIT.fullmatch(text)
    scale = match and OCTETS.get(match[2].upper() or "B")
    return round(float(match[1]) * scale) if match and scale else None
