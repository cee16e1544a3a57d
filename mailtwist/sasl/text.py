"""User names and passwords as SASL carries them."""

from __future__ import annotations

import unicodedata

from ..errors import AuthFailed, SyntaxFault

MOST_NAME = 320  # octets: local part, @, domain
MOST_PASSWORD = 1024  # octets; longer ones only cost hashing time


def username(octets: bytes) -> str:
    """A user name in NFC; raises AuthFailed for what no account can be called."""
    if not octets or len(octets) > MOST_NAME:
        raise AuthFailed()
    try:
        text = octets.decode()
    except UnicodeDecodeError as fault:
        raise SyntaxFault("a user name in UTF-8", fault.start) from fault
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise AuthFailed()
    return unicodedata.normalize("NFC", text)


def password(octets: bytes) -> bytes:
    """The octets a password is compared by: NFC if they are UTF-8 (RFC 8265 §4.2)."""
    if not octets or len(octets) > MOST_PASSWORD:
        raise AuthFailed()
    try:
        return unicodedata.normalize("NFC", octets.decode()).encode()
    except UnicodeDecodeError:
        return octets
