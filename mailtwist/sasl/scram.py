"""SCRAM and SCRAM-PLUS (RFC 5802, RFC 7677), the server's half."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable

from ..errors import AuthFailed, SyntaxFault
from . import text
from .model import ScramKeys
from .proof import OTHER_USER

HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
PLUS = "-PLUS"  # behind the name: with channel binding

Bindings = Callable[[str], bytes | None]  # the data of a type of channel binding

DOWNGRADE = "Channel binding is offered here, and the client was not told so"

# client-first-message (RFC 5802 §7): gs2-header, then the bare message.
_CLIENT_FIRST = re.compile(
    rb"(?P<gs2>(?P<cb>[ny]|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>[^,\0]+))?,)"
    rb"(?P<bare>n=(?P<user>[^,\0]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)"
    rb"(?:,[A-Za-z]=[^,\0]+)*)"
)
_CLIENT_FINAL = re.compile(
    rb"(?P<without>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)"
    rb"(?:,[A-Za-z]=[^,\0]+)*),p=(?P<proof>[A-Za-z0-9+/=]+)"
)
_ESCAPE = re.compile(rb"=(2C|3D)?")


def keys_for(
    mechanism: str, password: bytes, salt: bytes, iterations: int
) -> ScramKeys:
    """The keys to keep for a password (RFC 5802 §3); costs `iterations` hashes."""
    name = HASHES[mechanism]
    salted = hashlib.pbkdf2_hmac(name, text.prepared(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", name)
    return ScramKeys(
        salt=salt,
        iterations=iterations,
        stored_key=hashlib.new(name, client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", name),
    )


class ScramServer:
    """One exchange: client_first(), server_first(), client_final(), in that order.

    `nonce` is the server's part, fresh and random, printable without a comma.
    `bindings` knows the connection's channel bindings; None if -PLUS is not offered.
    """

    def __init__(
        self, mechanism: str, nonce: bytes, bindings: Bindings | None = None
    ) -> None:
        self._hash, self._nonce = HASHES[mechanism.removesuffix(PLUS)], nonce
        self._plus, self._bindings = mechanism.endswith(PLUS), bindings

    def client_first(self, message: bytes) -> str:
        """The user name the client claims.  Raises SyntaxFault, AuthFailed.

        A client that says "y" believes that no -PLUS mechanism is offered.  If it is,
        somebody between us has taken it off the list (RFC 5802 §6).
        """
        found = _CLIENT_FIRST.fullmatch(message)
        if not found:
            raise SyntaxFault("client-first-message", 0)
        bound = self._bound(found["cb"])
        user = text.username(unescaped(found["user"]))
        if found["authzid"] and text.username(unescaped(found["authzid"])) != user:
            raise AuthFailed(OTHER_USER)
        self._channel, self._bare = found["gs2"] + bound, found["bare"]
        self._nonce = found["nonce"] + self._nonce
        return user

    def _bound(self, flag: bytes) -> bytes:
        """The channel binding that the client must prove; empty for none."""
        binds = flag.startswith(b"p=")
        if binds != self._plus:
            raise SyntaxFault("a channel binding" if self._plus else "none", 0)
        if not binds:
            if flag == b"y" and self._bindings is not None:
                raise AuthFailed(DOWNGRADE)
            return b""
        kind = flag[2:].decode()
        data = self._bindings(kind) if self._bindings is not None else None
        if data is None:
            raise AuthFailed(f"Channel binding {kind} cannot be had here")
        return data

    def server_first(self, keys: ScramKeys) -> bytes:
        self._keys = keys
        self._first = b"r=%s,s=%s,i=%d" % (
            self._nonce,
            b64encode(keys.salt),
            keys.iterations,
        )
        return self._first

    def client_final(self, message: bytes) -> bytes:
        """The server-final-message; raises SyntaxFault, or AuthFailed for a proof that
        does not hold."""
        found = _CLIENT_FINAL.fullmatch(message)
        if not found:
            raise SyntaxFault("client-final-message", 0)
        same_nonce = hmac.compare_digest(found["nonce"], self._nonce)
        bound = hmac.compare_digest(decoded(found["binding"]), self._channel)
        if not same_nonce or not bound:
            raise AuthFailed()
        signed = b",".join((self._bare, self._first, found["without"]))
        signature = hmac.digest(self._keys.stored_key, signed, self._hash)
        proof = decoded(found["proof"])
        if len(proof) != len(signature):
            raise AuthFailed()
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        stored_key = hashlib.new(self._hash, client_key).digest()
        if not hmac.compare_digest(stored_key, self._keys.stored_key):
            raise AuthFailed()
        answer = hmac.digest(self._keys.server_key, signed, self._hash)
        return b"v=" + b64encode(answer)


def decoded(octets: bytes) -> bytes:
    """Strict base64; raises SyntaxFault."""
    try:
        return b64decode(octets, validate=True)
    except Base64Error as fault:
        raise SyntaxFault("base64", 0) from fault


def unescaped(saslname: bytes) -> bytes:
    """saslname (RFC 5802 §7): "=2C" is a comma, "=3D" an equals sign.

    Raises SyntaxFault."""
    return _ESCAPE.sub(_character, saslname)


def _character(escape: re.Match[bytes]) -> bytes:
    if escape[1] is None:
        raise SyntaxFault("=2C or =3D in the user name", escape.start())
    return b"," if escape[1] == b"2C" else b"="
