"""Keys of DKIM: public ones as DNS has them, private ones as files hold them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache

from attrs import field, frozen
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from .tags import BadTags, base64, tags, words

LEAST_RSA_BITS = 1024  # RFC 8301 §3.2
MOST_RSA_BITS = 8192
ALGORITHMS = ("rsa", "ed25519")

_SHA256 = Prehashed(hashes.SHA256())


class BadKey(Exception):
    """A key that is not there, was revoked, or may not be used."""


@frozen
class PublicKey:
    """What a key record says (RFC 6376 §3.6.1)."""

    algorithm: str
    key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey
    hash_algorithms: tuple[str, ...] = ()  # none means all
    testing: bool = False
    strict: bool = False  # i= may not be of a subdomain

    def verifies(self, digest: bytes, signature: bytes) -> bool:
        """True if the SHA-256 `digest` was signed with the private key."""
        try:
            if isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, digest, padding.PKCS1v15(), _SHA256)
            else:
                self.key.verify(signature, digest)
        except InvalidSignature:
            return False
        return True


def public_key(records: Sequence[bytes]) -> PublicKey:
    """The first usable one of the TXT records of a selector; raises BadKey."""
    fault = BadKey("no key in DNS")
    for record in records:
        try:
            return _public_key(record)
        except BadTags as bad:
            fault = BadKey(f"key record {bad}")
        except BadKey as bad:
            fault = bad
    raise fault


@lru_cache(1000)  # of the domains that send most
def _public_key(record: bytes) -> PublicKey:
    """Raises BadKey, BadTags."""
    found = tags(record)
    version = found.get("v", "DKIM1")
    if version != "DKIM1" or ("v" in found and next(iter(found)) != "v"):
        raise BadKey("key record of another version")
    if "p" not in found:
        raise BadKey("key record without a key")
    if not found["p"]:
        raise BadKey("key revoked")
    services = words(found.get("s", "*"))
    if "*" not in services and "email" not in services:
        raise BadKey("key not for email")
    algorithm = found.get("k", "rsa").lower()
    flags = words(found.get("t", ""))
    return PublicKey(
        algorithm,
        _loaded(algorithm, base64(found["p"])),
        tuple(words(found["h"])) if "h" in found else (),
        "y" in flags,
        "s" in flags,
    )


def _loaded(
    algorithm: str, octets: bytes
) -> rsa.RSAPublicKey | ed25519.Ed25519PublicKey:
    try:
        if algorithm == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(octets)
        if algorithm != "rsa":
            raise BadKey(f"key of the unknown kind {algorithm[:20]!a}")
        key = serialization.load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm) as bad:
        raise BadKey("key cannot be read") from bad
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadKey("key of another kind than it says")
    if key.key_size < LEAST_RSA_BITS:
        raise BadKey(f"key of {key.key_size} bits is too short")
    if key.key_size > MOST_RSA_BITS:
        raise BadKey(f"key of {key.key_size} bits is too long")
    return key


@frozen
class PrivateKey:
    """A key to sign with, of `domain` under `selector` (A-labels)."""

    domain: str
    selector: str
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        return "rsa" if isinstance(self.key, rsa.RSAPrivateKey) else "ed25519"

    def signature(self, digest: bytes) -> bytes:
        """Of a SHA-256 digest (RFC 8463 §3 signs just that)."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(digest, padding.PKCS1v15(), _SHA256)
        return self.key.sign(digest)

    @property
    def record(self) -> str:
        """The TXT record of the public key."""
        public = self.key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            octets = public.public_bytes(
                serialization.Encoding.DER,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
        else:
            octets = public.public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
        return f"v=DKIM1; k={self.algorithm}; p={b64encode(octets).decode()}"


def private_key(domain: str, selector: str, pem: bytes) -> PrivateKey:
    """From an unencrypted PEM file; raises BadKey."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as bad:
        raise BadKey("not an unencrypted private key in PEM") from bad
    if isinstance(key, rsa.RSAPrivateKey):
        if not LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
            raise BadKey(f"an RSA key of {key.key_size} bits")
    elif not isinstance(key, ed25519.Ed25519PrivateKey):
        raise BadKey("neither an RSA nor an Ed25519 key")
    return PrivateKey(domain, selector, key)


def new_key(algorithm: str, bits: int = 2048) -> bytes:
    """A new private key in PEM; `bits` of an RSA key."""
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if algorithm == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = rsa.generate_private_key(65537, bits)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
