"""What a SASL exchange ends in: something a checker can judge."""

from __future__ import annotations

from attrs import frozen

from ..secret import Secret

OTHER_USER = "Acting for another user is not permitted"


@frozen
class PasswordProof:
    """A user name and a password in clear; `acts_for` is the other user who is to be
    logged in, "" for none."""

    username: str
    password: Secret
    acts_for: str = ""


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
