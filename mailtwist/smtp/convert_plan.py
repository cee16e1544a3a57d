"""What the content of a message must be brought into before a host can take it."""

from __future__ import annotations

from enum import Enum


class Needs(Enum):
    NOTHING = "as it is"
    NO_BINARY = "8-bit lines may stay, octets that are no lines become base64"
    SEVEN_BIT = "ASCII lines only (RFC 6152 §3)"
