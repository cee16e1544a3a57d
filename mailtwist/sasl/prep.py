"""SASLprep (RFC 4013): one form for what people type as the same text."""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (  # RFC 4013 §2.3, and unassigned code points (§2.5, stored strings)
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str | None:
    """`text` prepared as a stored string, or None if that is prohibited."""
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(table(character) for character in prepared for table in _PROHIBITED):
        return None
    return prepared if _bidirectional(prepared) else None


def _bidirectional(text: str) -> bool:
    """RFC 3454 §6: right-to-left text holds no left-to-right character, and begins and
    ends right-to-left."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    if any(map(stringprep.in_table_d2, text)):
        return False
    return stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
