"""DKIM signatures as values: what a DKIM-Signature field says (RFC 6376 §3.5)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from attrs import frozen

from ..address import ascii_domain, normal_domain
from ..errors import BadAddress
from .canonical import FIELD_FORMS, Field, chosen
from .tags import BadTags, base64, tags, without_white, words

MOST_SIGNED = 500  # names in h=

_SIGNATURE = re.compile(rb"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_SELECTOR = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
_NUMBER = re.compile(r"[0-9]{1,76}\Z")


class BadSignature(Exception):
    """A field that is no signature to look at; `result` is the word of RFC 8601."""

    def __init__(self, problem: str, result: str = "neutral") -> None:
        super().__init__(problem)
        self.result = result


@frozen
class Signature:
    """The tags of one signature, checked; domains as A-labels.

    `length` is l=, None for all of the body; times are seconds of the epoch."""

    algorithm: str  # "rsa" or "ed25519"
    domain: str
    selector: str
    identity: str
    header_form: str
    body_form: str
    body_hash: bytes
    octets: bytes
    signed: tuple[bytes, ...]
    length: int | None = None
    made_at: int | None = None
    expires_at: int | None = None


def parsed(field: Field) -> Signature:
    """The signature in a DKIM-Signature field; raises BadSignature."""
    try:
        found = tags(field[1].partition(b":")[2])
        for name in "vadhsb":
            if not found.get(name):
                raise BadSignature(f"no tag {name}")
        if found["v"] != "1":
            raise BadSignature("another version")
        if "dns/txt" not in words(found.get("q", "dns/txt")):
            raise BadSignature("no known way to the key")
        domain = domain_of(found["d"])
        identity = found.get("i", f"@{domain}")
        check_identity(identity, domain)
        signed = signed_names(found["h"])
        if b"from" not in signed:
            raise BadSignature("From is not signed", "permerror")
        return signature(found, domain, identity, signed)
    except BadTags as bad:
        raise BadSignature(f"signature {bad}") from bad


def signature(
    found: dict[str, str], domain: str, identity: str, signed: tuple[bytes, ...]
) -> Signature:
    """What DKIM and ARC have alike; raises BadSignature, BadTags."""
    if not found.get("bh"):
        raise BadSignature("no tag bh")
    header_form, _, body_form = found.get("c", "simple").lower().partition("/")
    body_form = body_form or "simple"
    if header_form not in FIELD_FORMS or body_form not in FIELD_FORMS:
        raise BadSignature("an unknown canonical form")
    made_at, expires_at = number(found, "t"), number(found, "x")
    if made_at is not None and expires_at is not None and expires_at < made_at:
        raise BadSignature("expires before it was made")
    return Signature(
        algorithm_of(found["a"]),
        domain,
        selector_of(found["s"]),
        identity,
        header_form,
        body_form,
        base64(found["bh"]),
        base64(found["b"]),
        signed,
        number(found, "l"),
        made_at,
        expires_at,
    )


def algorithm_of(text: str) -> str:
    """The kind of key behind a=; raises BadSignature."""
    match text.lower():
        case "rsa-sha256":
            return "rsa"
        case "ed25519-sha256":
            return "ed25519"
        case "rsa-sha1":  # RFC 8301 §3.1
            raise BadSignature("rsa-sha1 proves nothing any more", "permerror")
    raise BadSignature("an unknown algorithm")


def domain_of(text: str) -> str:
    """As A-labels (RFC 8616 §3 lets it come as U-labels); raises BadSignature."""
    try:
        found = ascii_domain(normal_domain(without_white(text)))
    except BadAddress as bad:
        raise BadSignature("no domain in d=") from bad
    if found.startswith("["):
        raise BadSignature("no domain in d=")
    return found


def selector_of(text: str) -> str:
    if text.isascii() and _SELECTOR.match(text) and ".." not in text:
        return text.lower()
    return domain_of(text)


def check_identity(identity: str, domain: str) -> None:
    """i= is of d= or a subdomain (§3.5); raises BadSignature."""
    _, at, host = without_white(identity).rpartition("@")
    if not at:
        raise BadSignature("no @ in i=")
    host = domain_of(host)
    if host != domain and not host.endswith(f".{domain}"):
        raise BadSignature("i= is not of d=", "permerror")


def signed_names(text: str) -> tuple[bytes, ...]:
    names = tuple(name.encode("utf-8") for name in words(text))
    if len(names) > MOST_SIGNED:
        raise BadSignature("signs too many fields")
    return names


def number(found: dict[str, str], name: str) -> int | None:
    text = found.get(name)
    if text is None:
        return None
    if not _NUMBER.match(text):
        raise BadSignature(f"no number in {name}=")
    return int(text)


def unsigned(field: Field) -> Field:
    """A signature's own field with b= empty, as it is hashed (§3.5)."""
    name, raw = field
    front, colon, value = raw.partition(b":")
    return name, front + colon + _SIGNATURE.sub(rb"\1", value)


def header_digest(
    fields: Sequence[Field], names: Sequence[bytes], form: str, own: Field
) -> bytes:
    """The SHA-256 that is signed: the chosen fields, then `own` without b= (§3.7)."""
    canonical = FIELD_FORMS[form]
    hashed = hashlib.sha256()
    for name, raw in chosen(fields, names):
        hashed.update(canonical(name, raw))
    hashed.update(canonical(*unsigned(own)).removesuffix(b"\r\n"))
    return hashed.digest()
