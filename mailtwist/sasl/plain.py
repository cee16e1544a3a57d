"""PLAIN (RFC 4616): authzid NUL authcid NUL password in one message."""

from __future__ import annotations

from ..errors import SyntaxFault
from ..secret import Secret
from . import text
from .proof import PasswordProof


def plain(message: bytes) -> PasswordProof:
    """The proof in one PLAIN message.

    Raises SyntaxFault, AuthFailed.
    """
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise SyntaxFault("authzid NUL authcid NUL password", 0)
    authzid, authcid, password = parts
    user = text.username(authcid)
    other = text.username(authzid) if authzid else ""
    secret = Secret(text.password(password))
    return PasswordProof(user, secret, "" if other == user else other)
