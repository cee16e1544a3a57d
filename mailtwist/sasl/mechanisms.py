"""The table of mechanisms: what is offered when, strongest first."""

from __future__ import annotations

from attrs import frozen


@frozen
class Mechanism:
    """`needs` names what a source must hold: "password", "scram" or "secret"."""

    name: str
    rfc: str
    needs: str
    plaintext: bool = False  # shows the password to whoever reads the wire


MECHANISMS = (
    Mechanism("SCRAM-SHA-256-PLUS", "RFC 7677", "scram"),
    Mechanism("SCRAM-SHA-1-PLUS", "RFC 5802", "scram"),
    Mechanism("SCRAM-SHA-256", "RFC 7677", "scram"),
    Mechanism("SCRAM-SHA-1", "RFC 5802", "scram"),
    Mechanism("DIGEST-MD5", "RFC 2831", "secret"),
    Mechanism("CRAM-MD5", "RFC 2195", "secret"),
    Mechanism("PLAIN", "RFC 4616", "password", plaintext=True),
    Mechanism("LOGIN", "draft-murchison-sasl-login", "password", plaintext=True),
)
BY_NAME = {mechanism.name: mechanism for mechanism in MECHANISMS}
