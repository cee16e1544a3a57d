"""PLAIN (RFC 4616): authzid NUL authcid NUL password in one message."""

from __future__ import annotations

from ..errors import NotPermitted, SyntaxFault
from ..secret import Secret
from . import text
from .proof import PasswordProof


def plain(response: bytes) -> PasswordProof:
    """The proof in one PLAIN message.

    Nobody may act for somebody else: an authzid other than the authcid is refused.
    Raises SyntaxFault, AuthFailed, NotPermitted.
    """
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise SyntaxFault("authzid NUL authcid NUL password", 0)
    authzid, authcid, password = parts
    user = text.username(authcid)
    if authzid and text.username(authzid) != user:
        raise NotPermitted("Acting for another user is not permitted")
    return PasswordProof(user, Secret(text.password(password)))
