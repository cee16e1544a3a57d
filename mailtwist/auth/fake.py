"""SCRAM keys for users that do not exist: stable, so that asking twice is no test."""

from __future__ import annotations

import hmac
from typing import Protocol

from ..sasl.model import ScramKeys
from ..sasl.scram import HASHES
from ..secret import Secret
from .names import login_key

SALT_OCTETS = 16


class KeySource(Protocol):
    """Keys that only this server has, one for each purpose."""

    def derived(self, purpose: bytes) -> Secret: ...


class FakeKeys:
    """Salts derived from a key that only this server has (RFC 5802 §9)."""

    def __init__(self, source: KeySource, iterations: int) -> None:
        self._source, self._iterations = source, iterations

    def keys(self, username: str, mechanism: str) -> ScramKeys:
        """Keys that no password fits, the same for all spellings of a name."""
        name = HASHES[mechanism]
        asked = f"{mechanism}\0{login_key(username)}".encode()
        seed = hmac.digest(self._source.derived(b"fake").reveal(), asked, "sha256")
        return ScramKeys(
            salt=seed[:SALT_OCTETS],
            iterations=self._iterations,
            stored_key=hmac.digest(seed, b"stored", name),
            server_key=hmac.digest(seed, b"server", name),
        )
