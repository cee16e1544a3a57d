"""DKIM signatures of a message, verified (RFC 6376 §6)."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from ..errors import DnsUnavailable
from .canonical import Body, Field
from .dkim import BadSignature, Signature, header_digest, parsed
from .keys import BadKey, PublicKey, public_key
from .model import INames

MOST_SIGNATURES = 8  # that are looked at, from the top
SLACK_S = 3600  # of clocks

SIGNATURE = b"dkim-signature"


@frozen
class DkimResult:
    """What became of one signature; `result` is a word of RFC 8601 §2.7.1.

    `domain`, `selector` and `identity` are as claimed, "" where the field cannot be
    read; `problem` says what is wrong; `testing` if the key says so (t=y)."""

    result: str
    domain: str = ""
    selector: str = ""
    identity: str = ""
    algorithm: str = ""
    problem: str = ""
    testing: bool = False
    octets: bytes = b""  # of the signature, to tell two of one key apart


class Verifier:
    """Verifies the signatures of one message: `fields` first, its body through `body`,
    then `results`.

    What the body must be hashed as is known when this is made, so that a body is
    never kept.
    """

    def __init__(self, fields: Sequence[Field], body: Body, now_s: int) -> None:
        self._fields, self._body, self._now_s = fields, body, now_s
        self._found: list[tuple[Field, Signature | BadSignature]] = []
        for field in fields:
            if field[0].lower() == SIGNATURE and len(self._found) < MOST_SIGNATURES:
                self._found.append((field, self._read(field)))

    def _read(self, field: Field) -> Signature | BadSignature:
        try:
            found = parsed(field)
        except BadSignature as bad:
            return bad
        self._body.want(found.body_form, "sha256", found.length)
        return found

    @property
    def signed(self) -> bool:
        """True if there is any signature."""
        return bool(self._found)

    @property
    def key_names(self) -> list[str]:
        """The names of keys that `results` will ask for, to ask for them before."""
        return [
            f"{found.selector}._domainkey.{found.domain}"
            for _, found in self._found
            if isinstance(found, Signature)
        ]

    async def results(self, names: INames) -> list[DkimResult]:
        """One for each signature, from the top; the body is complete."""
        return [await self._result(*each, names) for each in self._found]

    async def _result(
        self, field: Field, found: Signature | BadSignature, names: INames
    ) -> DkimResult:
        if isinstance(found, BadSignature):
            return DkimResult(found.result, problem=str(found))
        claimed = DkimResult(
            "pass",
            found.domain,
            found.selector,
            found.identity,
            f"{found.algorithm}-sha256",
            octets=found.octets,
        )
        try:
            check_times(found, self._now_s)
            check_body(found, self._body)
            key = await key_of(found, names)
            if key.strict and found.identity.rpartition("@")[2].lower() != found.domain:
                raise BadSignature("i= is not d=, as the key wants", "permerror")
            digest = header_digest(self._fields, found.signed, found.header_form, field)
            if not key.verifies(digest, found.octets):
                raise BadSignature("signature does not fit", "fail")
        except BadSignature as bad:
            return evolve(claimed, result=bad.result, problem=str(bad))
        except BadKey as bad:
            return evolve(claimed, result="permerror", problem=str(bad))
        except DnsUnavailable:
            return evolve(claimed, result="temperror", problem="DNS does not answer")
        return evolve(claimed, testing=key.testing)


def check_times(found: Signature, now_s: int) -> None:
    """Raises BadSignature."""
    if found.expires_at is not None and found.expires_at < now_s:
        raise BadSignature("signature expired", "fail")
    if found.made_at is not None and found.made_at > now_s + SLACK_S:
        raise BadSignature("signed in the future", "fail")


def check_body(found: Signature, body: Body) -> None:
    """Raises BadSignature.

    Text behind l= is not signed, and anybody may have put it there (§8.2)."""
    digest, whole = body.digest(found.body_form, "sha256", found.length)
    if found.length is not None and found.length > whole:
        raise BadSignature("body is shorter than signed", "fail")
    if digest != found.body_hash:
        raise BadSignature("body hash does not fit", "fail")
    if found.length is not None and found.length < whole:
        raise BadSignature("text was added behind what is signed", "policy")


async def key_of(found: Signature, names: INames) -> PublicKey:
    """Raises BadKey, DnsUnavailable."""
    records = await names.txt(f"{found.selector}._domainkey.{found.domain}")
    key = public_key(records)
    if key.algorithm != found.algorithm:
        raise BadKey(f"key is for {key.algorithm}")
    if key.hash_algorithms and "sha256" not in key.hash_algorithms:
        raise BadKey("key not for sha256")
    return key
