"""What a SASL exchange ends in: something a checker can judge."""

from __future__ import annotations

from attrs import frozen

from ..secret import Secret


@frozen
class PasswordProof:
    """A user name and a password in clear."""

    username: str
    password: Secret


@frozen
class DigestProof:
    """CRAM-MD5 (RFC 2195): HMAC-MD5 of the challenge, keyed with the password."""

    username: str
    challenge: bytes
    digest: bytes


@frozen
class BearerProof:
    """A bearer token (RFC 6750 §1), and the name it is said to be for; "" for none."""

    username: str
    token: Secret
