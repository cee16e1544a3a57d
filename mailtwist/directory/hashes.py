"""argon2id hashes of passwords (RFC 9106), in the PHC string form."""

from __future__ import annotations

import secrets
from base64 import b64encode

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..config.model import Auth
from ..sasl.text import prepared


class Hashes:
    """Makes and checks hashes; each takes some ten ms of CPU without the GIL."""

    def __init__(self, config: Auth) -> None:
        memory, passes = config.argon2_memory_kib, config.argon2_passes
        self._hasher = PasswordHasher(
            time_cost=passes, memory_cost=memory, parallelism=1
        )
        self.nobody = (
            f"$argon2id$v=19$m={memory},t={passes},p=1${_random(16)}${_random(32)}"
        )

    def made(self, password: bytes) -> str:
        return self._hasher.hash(prepared(password))

    def fits(self, hashed: str, password: bytes) -> bool:
        """True if `hashed` is of `password`; `nobody` is of none and costs the same."""
        try:
            return self._hasher.verify(hashed, prepared(password))
        except (VerificationError, InvalidHashError):
            return False

    def stale(self, hashed: str) -> bool:
        """True if it was made with other parameters than today's."""
        return not ours(hashed) or self._hasher.check_needs_rehash(hashed)


def ours(hashed: str) -> bool:
    """True if it is of the kind that is made here, and not one that was imported."""
    return hashed.startswith("$argon2id$")


def _random(size: int) -> str:
    return b64encode(secrets.token_bytes(size)).decode().rstrip("=")
