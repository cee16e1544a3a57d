"""EXTERNAL (RFC 4422 appendix A): the connection itself says who the client is."""

from __future__ import annotations

from . import text


def external(message: bytes) -> str:
    """The authzid, "" for the identity that the connection proves.

    Raises SyntaxFault, AuthFailed."""
    return text.username(message) if message else ""
