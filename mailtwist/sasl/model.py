"""Values of SASL conversations."""

from __future__ import annotations

from attrs import field, frozen


@frozen
class ScramKeys:
    """What a server keeps for SCRAM (RFC 5802 §3); no password can be read from it."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
