"""PLAIN (RFC 4616): authzid NUL authcid NUL password in one message."""

from __future__ import annotations

from ..errors import AuthFailed, SyntaxFault
from ..secret import Secret
from . import text
from .proof import PasswordProof

OTHER_USER = "Acting for another user is not permitted"


def plain(message: bytes) -> PasswordProof:
    """The proof in one PLAIN message.

    Nobody may act for somebody else: an authzid other than the authcid is refused.
    Raises SyntaxFault, AuthFailed.
    """
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise SyntaxFault("authzid NUL authcid NUL password", 0)
    authzid, authcid, password = parts
    user = text.username(authcid)
    if authzid and text.username(authzid) != user:
        raise AuthFailed(OTHER_USER)
    return PasswordProof(user, Secret(text.password(password)))
