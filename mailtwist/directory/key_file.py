"""The key file beside the user database: seals kept secrets, salts unknown users."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import ConfigError
from ..secret import Secret
from .owner import give_to_owner_of

KEY_OCTETS = 32
NONCE_OCTETS = 12


class KeyFile:
    """32 random octets that never enter the database; made when first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key: Secret | None = None

    def load(self) -> None:
        """Read the key, or make it.  Raises ConfigError, OSError."""
        if self._key is not None:
            return
        try:
            key = self.path.read_bytes()
        except FileNotFoundError:
            key = self._made()
        if len(key) != KEY_OCTETS:
            raise ConfigError(f"{self.path}: is not a key of {KEY_OCTETS} octets")
        self._key = Secret(key)

    def _made(self) -> bytes:
        """A new key, whole or not at all; another process may win the race."""
        key = secrets.token_bytes(KEY_OCTETS)
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
            give_to_owner_of(self.path.parent, draft)
            os.link(draft, self.path)  # unlike rename, never replaces
        except FileExistsError:
            return self.path.read_bytes()
        finally:
            draft.unlink()
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:  # secrets are sealed with it from now on: it must outlive a power cut
            os.fsync(folder)
        finally:
            os.close(folder)
        return key

    def derived(self, purpose: bytes) -> Secret:
        """A key of its own for each purpose."""
        self.load()
        key = self._key.reveal() if self._key is not None else b""
        return Secret(hmac.digest(key, purpose, "sha256"))

    def sealed(self, name: str, secret: bytes) -> bytes:
        """`secret`, encrypted and bound to the account's name."""
        nonce = secrets.token_bytes(NONCE_OCTETS)
        cipher = AESGCM(self.derived(b"seal").reveal())
        return nonce + cipher.encrypt(nonce, secret, name.encode())

    def opened(self, name: str, sealed: bytes) -> bytes:
        """What `sealed` made; raises ConfigError if the key file is another one."""
        nonce, text = sealed[:NONCE_OCTETS], sealed[NONCE_OCTETS:]
        try:
            cipher = AESGCM(self.derived(b"seal").reveal())
            return cipher.decrypt(nonce, text, name.encode())
        except (InvalidTag, ValueError) as fault:
            raise ConfigError(f"{self.path}: does not fit the user database") from fault
