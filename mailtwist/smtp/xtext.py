"""xtext (RFC 3461 §4) and the unitext of RFC 6533 §3: text in a parameter's value."""

from __future__ import annotations

import re

XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+\Z")

_HEXCHAR = re.compile(rb"\+([0-9A-F]{2})")
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def decode(text: str) -> bytes:
    """The octets of xtext that XTEXT matches."""
    return _HEXCHAR.sub(lambda found: bytes([int(found[1], 16)]), text.encode())


def decode_unitext(text: str) -> str:
    """The characters of utf-8-enc-addr; raises ValueError for a "\\\\" that begins no
    EmbeddedUnicodeChar, and for surrogates."""
    if "\\" in _EMBEDDED.sub("", text):
        raise ValueError(text)
    found = _EMBEDDED.sub(lambda one: chr(int(one[1], 16)), text)
    found.encode()
    return found
