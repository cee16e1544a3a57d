"""Who may vouch for a login instead of a password: OpenID providers and Kerberos."""

from __future__ import annotations

from attrs import frozen

from .checks import ge, matches_re, some_of
from .option import MINUTE_S, option

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
CERTIFICATE_NAMES = ("email", "common_name")
URL = r"(https://[^\s]+)?"


@frozen(kw_only=True)
class Oidc:
    """The provider whose tokens log in by OAUTHBEARER and XOAUTH2."""

    issuer: str = option(
        "",
        "The provider, as tokens name it (`iss`): an https URL. Off if empty.",
        matches_re(URL, "an https URL"),
    )
    audience: tuple[str, ...] = option(
        (),
        "A token must be for one of these (`aud`), such as this server's client ID at "
        "the provider.",
        texts=True,
    )
    algorithms: tuple[str, ...] = option(
        ("RS256", "ES256"),
        "Signatures that count; a provider's public key judges all of them.",
        some_of(ALGORITHMS),
        texts=True,
    )
    keys: str = option(
        "",
        "URL of the provider's keys (JWKS); found below `issuer` if empty.",
        matches_re(URL, "an https URL"),
    )
    introspection: str = option(
        "",
        "URL where tokens are asked about (RFC 7662) instead of judged by keys, for "
        "providers whose tokens only they can read.",
        matches_re(URL, "an https URL"),
    )
    client_id: str = option("", "Who asks there.")
    client_secret: str = option(
        "", "File with the password for that, readable by its owner only.", path=True
    )
    name_claim: str = option(
        "email",
        "What of a token is the account's name. An `email` that the provider has not "
        "verified is none.",
        matches_re(r"[\x21-\x7e]+", "the name of a claim"),
    )
    scope: str = option("", "A scope that a token must have; any if empty.")
    leeway_s: float = option(30.0, "How far the provider's clock may be off.", ge(0))
    keys_s: float = option(
        60 * MINUTE_S,
        "How long keys count before they are fetched again. One that is not known is "
        "asked for at once, and old ones count while the provider is down.",
        ge(1),
    )
    timeout_s: float = option(10.0, "How long the provider may take to answer.", ge(1))
    ca: str = option("", "PEM file of its CA; the system's CAs if empty.", path=True)


@frozen(kw_only=True)
class Gssapi:
    """Kerberos tickets; needs the extra `mailtwist[gssapi]`."""

    keytab: str = option(
        "",
        "Keys of `smtp/HOST`, `pop/HOST` and `imap/HOST`; no GSSAPI if empty.",
        path=True,
    )
    realms: tuple[str, ...] = option(
        (), "Realms whose tickets count, such as `EXAMPLE.ORG`.", texts=True
    )
    domain: str = option(
        "",
        "Domain of the accounts of `user@REALM`; the realm in lower case if empty.",
        domain=True,
    )
    threads: int = option(2, "Tickets that are judged at once.", ge(1))
    timeout_s: float = option(10.0, "How long judging one may take.", ge(1))
