"""DIGEST-MD5 (RFC 2831), the server's half: authentication only, no layer.

RFC 6331 tells everybody to move on to SCRAM; it is here for clients that cannot, and
for accounts whose password is kept.
"""

from __future__ import annotations

import hmac
import re
from hashlib import md5
from typing import Any

from ..errors import AuthFailed, SyntaxFault
from . import text
from .proof import OTHER_USER

MOST_RESPONSE = 4096  # octets; RFC 2831 §2.1.2

# directive = token "=" ( token | quoted-string ), with commas between (RFC 2831 §7.1).
_DIRECTIVE = re.compile(
    rb"[ \t\r\n,]*([!#-'*+.0-9A-Z^-z|~-]+)[ \t]*=[ \t]*"
    rb"(?:\"((?:[^\"\\]|\\.)*)\"|([!#-'*+.0-9A-Z^-z|~-]+))[ \t\r\n]*(?=,|\Z)",
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_URI = re.compile(rb"([a-z]+)/[^/]+(?:/[^/]+)?")
_REQUIRED = (b"username", b"nonce", b"cnonce", b"nc", b"digest-uri", b"response")


class DigestMd5Server:
    """One exchange: challenge(), response(), rspauth(), in that order.

    `nonce` is fresh and random, printable without quotes; `service` is what clients
    call the protocol in a digest-uri ("smtp", "pop", "imap").
    """

    def __init__(self, nonce: bytes, realm: bytes, service: bytes) -> None:
        self._nonce, self._realm, self._service = nonce, realm, service

    def challenge(self) -> bytes:
        return b'realm="%b",nonce="%b",qop="auth",charset=utf-8,algorithm=md5-sess' % (
            self._realm,
            self._nonce,
        )

    def response(self, message: bytes) -> str:
        """The user name the client claims.  Raises SyntaxFault, AuthFailed."""
        given = self._given = directives(message)
        for name in _REQUIRED:
            if name not in given:
                raise SyntaxFault(f"{name.decode()}=", len(message))
        utf8 = given.get(b"charset", b"").lower() == b"utf-8"
        user = text.username(_in_utf8(given[b"username"], utf8))
        uri = _URI.fullmatch(given[b"digest-uri"])
        if not (
            uri
            and uri[1] == self._service
            and hmac.compare_digest(given[b"nonce"], self._nonce)
            and given[b"nc"] == b"00000001"
            and given.get(b"qop", b"auth").lower() == b"auth"
            and given.get(b"realm", b"") in (b"", self._realm)
        ):
            raise AuthFailed()
        authzid = given.get(b"authzid", b"")
        if authzid and text.username(authzid) != user:
            raise AuthFailed(OTHER_USER)
        return user

    def rspauth(self, password: bytes) -> bytes | None:
        """The server's proof, or None if the client's was not made with `password`."""
        if not hmac.compare_digest(
            self._digest(password, b"AUTHENTICATE:"), self._given[b"response"]
        ):
            return None
        return b"rspauth=" + self._digest(password, b":")

    def _digest(self, password: bytes, method: bytes) -> bytes:
        """RFC 2831 §2.1.2.1."""
        given = self._given
        user, realm = given[b"username"], given.get(b"realm", b"")
        if given.get(b"charset", b"").lower() == b"utf-8":
            user, realm = _in_latin1(user), _in_latin1(realm)
        secret = _md5(b":".join((user, realm, _in_latin1(password)))).digest()
        a1 = [secret, given[b"nonce"], given[b"cnonce"]]
        if given.get(b"authzid"):
            a1.append(given[b"authzid"])
        parts = (
            _md5(b":".join(a1)).hexdigest().encode(),
            *(given[b"nonce"], given[b"nc"], given[b"cnonce"]),
            given.get(b"qop", b"auth"),
            _md5(method + given[b"digest-uri"]).hexdigest().encode(),
        )
        digest: str = _md5(b":".join(parts)).hexdigest()
        return digest.encode()


def directives(message: bytes) -> dict[bytes, bytes]:
    """Names in lower case, values without quotes.  Raises SyntaxFault."""
    if len(message) > MOST_RESPONSE:
        raise SyntaxFault(f"at most {MOST_RESPONSE} octets", MOST_RESPONSE)
    found: dict[bytes, bytes] = {}
    at = 0
    while message[at:].strip(b", \t\r\n"):
        directive = _DIRECTIVE.match(message, at)
        if directive is None:
            raise SyntaxFault("name=value", at)
        name, quoted, token = directive[1].lower(), directive[2], directive[3]
        if name in found:
            raise SyntaxFault(f"{name.decode()} once", at)
        found[name] = token if quoted is None else _QUOTED_PAIR.sub(rb"\1", quoted)
        at = directive.end()
    return found


def _md5(octets: bytes) -> Any:
    return md5(octets, usedforsecurity=False)


def _in_utf8(value: bytes, utf8: bool) -> bytes:
    """Without charset=utf-8 a value is in ISO 8859-1."""
    return value if utf8 else value.decode("latin-1").encode()


def _in_latin1(value: bytes) -> bytes:
    """What UTF-8 says that ISO 8859-1 can, as that; anything else as it stands."""
    try:
        return value.decode().encode("latin-1")
    except UnicodeError:
        return value
