"""The table of mechanisms: what is offered when, strongest first."""

from __future__ import annotations

from attrs import frozen


@frozen
class Mechanism:
    """`needs` names what judges it.

    "scram", "secret" (a kept password) and "password" are for sources of accounts;
    "certificate", "ticket" and "token" for those who vouch; "nobody" proves nothing.
    """

    name: str
    rfc: str
    needs: str
    plaintext: bool = False  # shows a password or token to whoever reads the wire


MECHANISMS = (
    Mechanism("SCRAM-SHA-256-PLUS", "RFC 7677", "scram"),
    Mechanism("SCRAM-SHA-1-PLUS", "RFC 5802", "scram"),
    Mechanism("SCRAM-SHA-256", "RFC 7677", "scram"),
    Mechanism("SCRAM-SHA-1", "RFC 5802", "scram"),
    Mechanism("EXTERNAL", "RFC 4422", "certificate"),
    Mechanism("GSSAPI", "RFC 4752", "ticket"),
    Mechanism("OAUTHBEARER", "RFC 7628", "token", plaintext=True),
    Mechanism("XOAUTH2", "Google, Microsoft", "token", plaintext=True),
    Mechanism("DIGEST-MD5", "RFC 2831", "secret"),
    Mechanism("CRAM-MD5", "RFC 2195", "secret"),
    Mechanism("PLAIN", "RFC 4616", "password", plaintext=True),
    Mechanism("LOGIN", "draft-murchison-sasl-login", "password", plaintext=True),
    Mechanism("ANONYMOUS", "RFC 4505", "nobody"),
)
BY_NAME = {mechanism.name: mechanism for mechanism in MECHANISMS}
VOUCHED = frozenset(("certificate", "ticket", "token", "nobody"))
