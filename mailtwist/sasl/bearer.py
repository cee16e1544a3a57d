"""OAUTHBEARER (RFC 7628) and XOAUTH2 of Google and Microsoft: a token for a login."""

from __future__ import annotations

import json
import re

from ..errors import AuthFailed, SyntaxFault
from ..secret import Secret
from . import text
from .proof import BearerProof
from .scram import unescaped

MOST_MESSAGE = 16 * 1024  # octets

# client-resp = gs2-header kvsep *kvpair kvsep (RFC 7628 §3.1); keys are letters.
_RESPONSE = re.compile(
    rb"(?P<cb>[ny]|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>[^,\0]+))?,"
    rb"\1(?P<pairs>(?:[A-Za-z]+=[\t\r\n\x20-\x7e]*\1)*)\1".replace(rb"\1", rb"\x01")
)
_XOAUTH2 = re.compile(
    rb"user=(?P<user>[^\x01\0]+)\x01auth=(?P<auth>[^\x01\0]*)\x01\x01"
)
_AUTH = re.compile(rb"Bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)  # RFC 6750 §2.1


def oauthbearer(message: bytes) -> BearerProof:
    """The proof in a client's response; its user name is "" if it named none.

    Raises SyntaxFault, AuthFailed."""
    found = _RESPONSE.fullmatch(_short(message))
    if not found:
        raise SyntaxFault("gs2-header and key=value pairs", 0)
    if found["cb"].startswith(b"p="):
        raise SyntaxFault("no channel binding", 0)
    pairs: dict[bytes, bytes] = {}
    for pair in found["pairs"].split(b"\x01")[:-1]:
        key, _, value = pair.partition(b"=")
        if key in pairs:
            raise SyntaxFault(f"{key.decode()} once", 0)
        pairs[key] = value
    user = text.username(unescaped(found["authzid"])) if found["authzid"] else ""
    return BearerProof(user, _token(pairs.get(b"auth", b"")))


def xoauth2(message: bytes) -> BearerProof:
    """The proof in a client's response.  Raises SyntaxFault, AuthFailed."""
    found = _XOAUTH2.fullmatch(_short(message))
    if not found:
        raise SyntaxFault("user= and auth=", 0)
    return BearerProof(text.username(found["user"]), _token(found["auth"]))


def refusal(mechanism: str, scope: str, configuration: str) -> bytes:
    """What the server says before it fails (RFC 7628 §3.2.2): why, what scope a token
    needs and where the provider is described; both may be empty."""
    told = {"status": "invalid_token" if mechanism == "OAUTHBEARER" else "400"}
    if mechanism == "XOAUTH2":
        told["schemes"] = "bearer"
    if scope:
        told["scope"] = scope
    if configuration and mechanism == "OAUTHBEARER":
        told["openid-configuration"] = configuration
    return json.dumps(told).encode()


def _short(message: bytes) -> bytes:
    if len(message) > MOST_MESSAGE:
        raise SyntaxFault(f"at most {MOST_MESSAGE} octets", MOST_MESSAGE)
    return message


def _token(auth: bytes) -> Secret:
    """Raises AuthFailed for another scheme, or for none: RFC 7628 §3.2.3 lets a client
    ask so for the refusal alone."""
    found = _AUTH.fullmatch(auth)
    if not found:
        raise AuthFailed()
    return Secret(found[1])
