"""GSSAPI (RFC 4752): what is said about layers once the Kerberos context stands."""

from __future__ import annotations

from ..errors import AuthFailed, SyntaxFault
from . import text

NO_LAYER = 1
OFFER = bytes((NO_LAYER, 0, 0, 0))  # no security layer, so no buffer (RFC 4752 §3.1)


def answer(unwrapped: bytes) -> str:
    """The authzid in the client's choice, "" for its own identity.

    Raises SyntaxFault, AuthFailed."""
    if len(unwrapped) < len(OFFER):
        raise SyntaxFault("a layer and a size", len(unwrapped))
    if unwrapped[0] != NO_LAYER:
        raise AuthFailed("TLS is the only layer here")
    authzid = unwrapped[len(OFFER) :]
    return text.username(authzid) if authzid else ""
