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

KEY_OCTETS = 32
NONCE_OCTETS = 12


class KeyFile:
    """32 random octets that never enter the database; made when first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key: bytes | None = None

    def _read(self) -> bytes:
        if self._key is None:
            try:
                self._key = self.path.read_bytes()
            except FileNotFoundError:
                self._key = self._made()
            if len(self._key) != KEY_OCTETS:
                raise ConfigError(f"{self.path}: is not a key of {KEY_OCTETS} octets")
        return self._key

    def _made(self) -> bytes:
        """A new key, whole or not at all; another process may win the race."""
        key = secrets.token_bytes(KEY_OCTETS)
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, self.path)  # unlike rename, never replaces
        except FileExistsError:
            return self.path.read_bytes()
        finally:
            draft.unlink()
        return key

    def derived(self, purpose: bytes) -> Secret:
        """A key of its own for each purpose."""
        return Secret(hmac.digest(self._read(), purpose, "sha256"))

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
        except InvalidTag as fault:
            raise ConfigError(f"{self.path}: does not fit the user database") from fault
