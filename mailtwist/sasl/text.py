"""User names and passwords as SASL carries them."""

from __future__ import annotations

import unicodedata

from ..errors import AuthFailed, SyntaxFault
from .prep import saslprep

MOST_NAME = 320  # octets: local part, @, domain
MOST_PASSWORD = 1024  # octets; longer ones only cost hashing time


def username(octets: bytes) -> str:
    """A user name in NFC; how names are compared is the directory's affair.

    Raises SyntaxFault if it is not UTF-8, AuthFailed for what no account can be called.
    """
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
    """A password as it came; raises AuthFailed for an empty or overlong one."""
    if not octets or len(octets) > MOST_PASSWORD:
        raise AuthFailed()
    return octets


def prepared(password: bytes) -> bytes:
    """The octets a password is hashed as: SASLprep where that is defined.

    Passwords that SASLprep does not know (other charsets, signs younger than Unicode
    3.2) stay as they are; clients do the same with them in SCRAM.
    """
    if password.isascii():
        return password
    try:
        text = saslprep(password.decode())
    except UnicodeDecodeError:
        return password
    return text.encode() if text else password
