"""The client's half of SASL mechanisms: what is said with a user name and a password.

A conversation is made, its `initial` response sent with AUTH, every challenge given to
`respond`, and `done` called on success: it raises if a server that must prove itself
did not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Protocol

from ..errors import MailError
from ..secret import Secret
from . import text
from .scram import HASHES, decoded

MOST_ITERATIONS = 1_000_000  # a server that asks for more wants our time, not our proof

_SERVER_FIRST = re.compile(
    rb"r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+),s=(?P<salt>[A-Za-z0-9+/=]+)"
    rb",i=(?P<iterations>[1-9][0-9]{0,9})(?:,[A-Za-z]=[^,\0]*)*"
)
_SERVER_FINAL = re.compile(rb"v=(?P<signature>[A-Za-z0-9+/=]+)(?:,.*)?", re.DOTALL)


class BadChallenge(MailError):
    """The server broke the rules of the mechanism, or is not who it should be."""

    status, public = "4.7.0", "The other host's answer to the login cannot be trusted"


class Conversation(Protocol):
    """One exchange."""

    @property
    def initial(self) -> bytes | None:
        """What goes with AUTH; None if the server must ask first."""

    def respond(self, challenge: bytes) -> bytes:
        """Raises MailError if the challenge cannot be answered."""

    def done(self) -> None:
        """Raises BadChallenge if the server has still to prove itself."""


class Plain:
    """RFC 4616."""

    def __init__(self, user: str, password: Secret) -> None:
        self.initial = b"\0%s\0%s" % (user.encode(), password.reveal())

    def respond(self, challenge: bytes) -> bytes:
        raise BadChallenge()

    def done(self) -> None:
        """The server has nothing to prove."""


class Login:
    """User name and password as they are asked for; words of prompts vary."""

    initial: bytes | None = None

    def __init__(self, user: str, password: Secret) -> None:
        self._answers = [user.encode(), password.reveal()]

    def respond(self, challenge: bytes) -> bytes:
        if not self._answers:
            raise BadChallenge()
        return self._answers.pop(0)

    def done(self) -> None:
        """The server has nothing to prove."""


class CramMd5:
    """RFC 2195."""

    initial: bytes | None = None

    def __init__(self, user: str, password: Secret) -> None:
        self._user, self._password = user.encode(), password

    def respond(self, challenge: bytes) -> bytes:
        digest = hmac.new(self._password.reveal(), challenge, "md5").hexdigest()
        return self._user + b" " + digest.encode()

    def done(self) -> None:
        """The server has nothing to prove."""


class Scram:
    """RFC 5802, RFC 7677, without channel binding; the server's proof is demanded."""

    def __init__(
        self, mechanism: str, user: str, password: Secret, nonce: bytes
    ) -> None:
        """`nonce` is fresh and random, printable without a comma."""
        self._hash, self._password, self._nonce = HASHES[mechanism], password, nonce
        name = user.replace("=", "=3D").replace(",", "=2C").encode()
        self._bare = b"n=%s,r=%s" % (name, nonce)
        self.initial = b"n,," + self._bare
        self._signature: bytes | None = None
        self._proved = False

    def respond(self, challenge: bytes) -> bytes:
        if self._signature is None:
            return self._final(challenge)
        self._check(challenge)
        return b""

    def _final(self, first: bytes) -> bytes:
        found = _SERVER_FIRST.fullmatch(first)
        if not found or not found["nonce"].startswith(self._nonce):
            raise BadChallenge()
        if found["nonce"] == self._nonce:
            raise BadChallenge()
        iterations = int(found["iterations"])
        if iterations > MOST_ITERATIONS:
            raise BadChallenge("The other host asks for too much work at the login")
        name, salt = self._hash, decoded(found["salt"])
        prepared = text.prepared(self._password.reveal())
        salted = hashlib.pbkdf2_hmac(name, prepared, salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", name)
        without = b"c=biws,r=" + found["nonce"]
        signed = b",".join((self._bare, first, without))
        signature = hmac.digest(hashlib.new(name, client_key).digest(), signed, name)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", name)
        self._signature = hmac.digest(server_key, signed, name)
        return without + b",p=" + b64encode(proof)

    def _check(self, final: bytes) -> None:
        found = _SERVER_FINAL.fullmatch(final)
        if self._signature is None or not found:
            raise BadChallenge()
        if not hmac.compare_digest(decoded(found["signature"]), self._signature):
            raise BadChallenge()
        self._proved = True

    def done(self) -> None:
        if not self._proved:
            raise BadChallenge()


class XOAuth2:
    """XOAUTH2 of Google and Microsoft: a bearer token (RFC 6750 §1)."""

    def __init__(self, user: str, token: Secret) -> None:
        self.initial = b"user=%s\1auth=Bearer %s\1\1" % (user.encode(), token.reveal())
        self.refused = ""  # why, in the server's words

    def respond(self, challenge: bytes) -> bytes:
        """The server tells why it refuses; an empty answer gets the refusal itself."""
        try:
            told = json.loads(challenge)
            self.refused = str(told.get("status", ""))[:40]
        except (ValueError, AttributeError):
            self.refused = "?"
        return b""

    def done(self) -> None:
        """The server has nothing to prove."""


# Strongest first; those that show the password only where nobody reads along.
_SECURE: dict[str, Callable[[str, Secret, bytes], Conversation]] = {
    "SCRAM-SHA-256": lambda user, key, nonce: Scram("SCRAM-SHA-256", user, key, nonce),
    "SCRAM-SHA-1": lambda user, key, nonce: Scram("SCRAM-SHA-1", user, key, nonce),
    "CRAM-MD5": lambda user, key, nonce: CramMd5(user, key),
}
_PLAINTEXT: dict[str, Callable[[str, Secret, bytes], Conversation]] = {
    "PLAIN": lambda user, key, nonce: Plain(user, key),
    "LOGIN": lambda user, key, nonce: Login(user, key),
}


def conversations(
    offered: tuple[str, ...], user: str, password: Secret, nonce: bytes, *, secure: bool
) -> list[tuple[str, Conversation]]:
    """Every mechanism that is offered and may be used, the strongest first.

    `secure` if nobody can read along."""
    known = {**_SECURE, **(_PLAINTEXT if secure else {})}
    return [
        (name, make(user, password, nonce))
        for name, make in known.items()
        if name in offered
    ]
