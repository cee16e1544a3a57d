"""What a token says, and whether its provider said so (RFC 7519, RFC 8725)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from ...config.vouching import Oidc
from ...errors import AuthFailed


class UnknownKey(AuthFailed):
    """Signed with a key that is not at hand: it may be a new one."""


def key_set(octets: bytes) -> jwt.PyJWKSet:
    """The keys in a JWKS (RFC 7517 §5); those of kinds not known here are left out.

    Raises ValueError."""
    try:
        return jwt.PyJWKSet.from_json(octets.decode())
    except (jwt.PyJWTError, AttributeError, TypeError, KeyError) as fault:
        raise ValueError(f"no keys: {fault}") from fault


def judged(token: bytes, keys: jwt.PyJWKSet, config: Oidc) -> Mapping[str, Any]:
    """The claims of a token that is valid now.  Raises AuthFailed, UnknownKey."""
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in config.algorithms:
            raise AuthFailed(f"Token signed by {header.get('alg')!r:.20}")
        key = _key(keys, header.get("kid"))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(config.algorithms),
            issuer=config.issuer,
            audience=list(config.audience) or None,
            leeway=config.leeway_s,
            options={"require": ["exp", "iss"]},
        )
    except jwt.PyJWTError as fault:
        raise AuthFailed(f"Token refused: {type(fault).__name__}") from fault
    return claims


def _key(keys: jwt.PyJWKSet, kid: object) -> jwt.PyJWK:
    """The key of this name; a token that names none means the only one."""
    usable = [one for one in keys.keys if one.public_key_use in (None, "sig")]
    found = [one for one in usable if kid is None or one.key_id == kid]
    if len(found) != 1:
        raise UnknownKey("Token signed with a key that its provider does not show")
    return found[0]


def names(claims: Mapping[str, Any], config: Oidc) -> Sequence[str]:
    """The account in a token's claims.  Raises AuthFailed."""
    scopes = claims.get("scope", claims.get("scp", ""))
    if isinstance(scopes, str):
        scopes = scopes.split()
    if config.scope and config.scope not in scopes:
        raise AuthFailed("Token without the scope that is needed")
    name = claims.get(config.name_claim)
    if not isinstance(name, str) or not name:
        raise AuthFailed(f"Token without {config.name_claim}")
    if config.name_claim == "email" and claims.get("email_verified") is False:
        raise AuthFailed("Token for an address that is not verified")
    return (name,)
