"""SCRAM keys for users that do not exist: stable, so that asking twice is no test."""

from __future__ import annotations

import hmac
from typing import Protocol

from ..sasl.model import ScramKeys
from ..sasl.scram import HASHES
from ..secret import Secret

SALT_OCTETS = 16


class KeySource(Protocol):
    """Keys that only this server has, one for each purpose."""

    def derived(self, purpose: bytes) -> Secret: ...


class FakeKeys:
    """Salts derived from a key that only this server has."""

    def __init__(self, source: KeySource, iterations: int) -> None:
        self._source, self._iterations = source, iterations

    def keys(self, username: str, mechanism: str) -> ScramKeys:
        """Keys that no password fits, the same for the same name each time."""
        name = HASHES[mechanism]
        asked = f"{mechanism}\0{username.casefold()}".encode()
        seed = hmac.digest(self._source.derived(b"fake").reveal(), asked, "sha256")
        size = 32 if name == "sha256" else 20
        stored = hmac.digest(seed, b"stored", "sha256")[:size]
        server = hmac.digest(seed, b"server", "sha256")[:size]
        return ScramKeys(seed[:SALT_OCTETS], self._iterations, stored, server)
