"""CRAM-MD5 (RFC 2195): for accounts whose password is kept, and old clients."""

from __future__ import annotations

import re

from ..errors import SyntaxFault
from . import text
from .proof import DigestProof

_RESPONSE = re.compile(rb"(.+) ([0-9a-f]{32})", re.DOTALL)


def challenge(nonce: str, at: int, hostname: str) -> bytes:
    """A challenge in the form of a msg-id: random digits, the time, this host.

    `nonce` is fresh and random, `at` seconds since the epoch.
    """
    return f"<{nonce}.{at}@{hostname}>".encode("ascii", "replace")


def cram_md5(challenge: bytes, response: bytes) -> DigestProof:
    """The proof in "user digest"; the user name may hold spaces.

    Raises SyntaxFault, AuthFailed.
    """
    found = _RESPONSE.fullmatch(response)
    if not found:
        raise SyntaxFault("user name and 32 hexadecimal digits", 0)
    return DigestProof(text.username(found[1]), challenge, found[2])
