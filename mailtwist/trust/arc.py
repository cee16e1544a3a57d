"""ARC: what those who forwarded a message say of it, verified (RFC 8617)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from ..errors import DnsUnavailable
from . import results
from .canonical import Body, Field, relaxed_field
from .dkim import (
    BadSignature,
    Signature,
    algorithm_of,
    domain_of,
    header_digest,
    number,
    selector_of,
    signature,
    signed_names,
    unsigned,
)
from .dkim_verify import check_body, key_of
from .keys import BadKey
from .model import INames
from .tags import BadTags, base64, tags

MOST_SETS = 50  # RFC 8617 §4.2.1

RESULTS = b"arc-authentication-results"
MESSAGE = b"arc-message-signature"
SEAL = b"arc-seal"
_NAMES = (RESULTS, MESSAGE, SEAL)


@frozen
class ArcSet:
    """What one forwarder added."""

    results: Field
    message: Field
    seal: Field


@frozen
class ArcResult:
    """`result` is none, pass, fail or temperror.

    `sets` are in order of instance; `sealer` is the domain of the last seal and
    `sealers` all of them, `told` the results that each forwarder passes on."""

    result: str
    sets: tuple[ArcSet, ...] = ()
    sealers: tuple[str, ...] = ()
    told: tuple[tuple[results.MethodResult, ...], ...] = ()
    problem: str = ""

    @property
    def sealer(self) -> str:
        return self.sealers[-1] if self.sealers else ""


class BadChain(Exception):
    """Sets that are no chain."""


def has_sets(fields: Sequence[Field]) -> bool:
    """True if there is anything of ARC."""
    return any(name.lower() in _NAMES for name, _ in fields)


def sets(fields: Sequence[Field]) -> list[ArcSet]:
    """In order of instance (§5.2, steps 1 to 3); raises BadChain."""
    found: dict[tuple[bytes, int], Field] = {}
    for field in fields:
        name = field[0].lower()
        if name in _NAMES:
            key = name, _instance(field)
            if key in found:
                raise BadChain(f"two of instance {key[1]}")
            found[key] = field
    count = len(found) // len(_NAMES)
    if count > MOST_SETS:
        raise BadChain("too many sets")
    try:
        whole = [
            ArcSet(*(found.pop((name, at)) for name in _NAMES))
            for at in range(1, count + 1)
        ]
    except KeyError as missing:
        raise BadChain("a set is not whole") from missing
    if found:
        raise BadChain("a set is not whole")
    return whole


def _instance(field: Field) -> int:
    """i= of any of the three; raises BadChain."""
    value = field[1].partition(b":")[2]
    if field[0].lower() == RESULTS:
        value = value.partition(b";")[0]
    try:
        found = number(tags(value), "i")
    except (BadTags, BadSignature) as bad:
        raise BadChain(str(bad)) from bad
    if not found or found > MOST_SETS:
        raise BadChain("no instance")
    return found


class Chain:
    """Verifies the chain of one message: `fields` first, its body through `body`."""

    def __init__(self, fields: Sequence[Field], body: Body) -> None:
        self._fields, self._body = fields, body
        self._sets: list[ArcSet] = []
        self._problem = ""
        self._last: Signature | None = None
        try:
            self._sets = sets(fields)
            if self._sets:
                self._last = _message_signature(self._sets[-1].message)
                body.want(self._last.body_form, "sha256", self._last.length)
        except (BadChain, BadSignature, BadTags) as bad:
            self._problem = str(bad)

    @property
    def there(self) -> bool:
        """True if there is a chain, or what claims to be one."""
        return bool(self._sets or self._problem)

    async def result(self, names: INames) -> ArcResult:
        """The body is complete."""
        if not self.there:
            return ArcResult("none")
        if self._last is None:
            return ArcResult("fail", problem=self._problem)
        try:
            sealers = await self._verified(self._last, names)
        except (BadSignature, BadTags, BadKey) as bad:
            return ArcResult("fail", tuple(self._sets), problem=str(bad))
        except DnsUnavailable:
            return ArcResult(
                "temperror", tuple(self._sets), problem="DNS does not answer"
            )
        told = tuple(_told(one.results) for one in self._sets)
        return ArcResult("pass", tuple(self._sets), tuple(sealers), told)

    async def _verified(self, last: Signature, names: INames) -> list[str]:
        """The domains of the seals; raises what is wrong (§5.2, steps 4 to 6)."""
        check_body(last, self._body)
        digest = header_digest(
            self._fields, last.signed, last.header_form, self._sets[-1].message
        )
        key = await key_of(last, names)
        if not key.verifies(digest, last.octets):
            raise BadSignature("message signature does not fit", "fail")
        sealers = []
        hashed = hashlib.sha256()
        for at, one in enumerate(self._sets):
            seal, claimed = _seal(one.seal)
            if claimed != ("pass" if at else "none"):
                raise BadSignature(f"seal {at + 1} says {claimed[:10]!a}", "fail")
            hash_set(hashed, one)
            key = await key_of(seal, names)
            if not key.verifies(seal_digest(hashed, one.seal), seal.octets):
                raise BadSignature(f"seal {at + 1} does not fit", "fail")
            hashed.update(relaxed_field(*one.seal))
            sealers.append(seal.domain)
        return sealers


def hash_set(hashed: Any, one: ArcSet) -> None:
    """What a seal covers of its own set but itself (§5.1.1)."""
    hashed.update(relaxed_field(*one.results))
    hashed.update(relaxed_field(*one.message))


def seal_digest(hashed: Any, seal: Field) -> bytes:
    """The SHA-256 that a seal signs; `hashed` has all before it."""
    whole = hashed.copy()
    whole.update(relaxed_field(*unsigned(seal)).removesuffix(b"\r\n"))
    digest: bytes = whole.digest()
    return digest


def _message_signature(field: Field) -> Signature:
    """AMS is a DKIM signature without version, whose i= is the instance (§4.1.2)."""
    found = tags(field[1].partition(b":")[2])
    for name in "adhsb":
        if not found.get(name):
            raise BadSignature(f"message signature without {name}=")
    domain = domain_of(found["d"])
    signed = signed_names(found["h"])
    if SEAL in signed:
        raise BadSignature("message signature covers a seal")
    return signature(found, domain, "", signed)


def _seal(field: Field) -> tuple[Signature, str]:
    """(signature, cv=) of a seal (§4.1.3)."""
    found = tags(field[1].partition(b":")[2])
    for name in ("a", "b", "d", "s", "cv"):
        if not found.get(name):
            raise BadSignature(f"seal without {name}=")
    if "h" in found:
        raise BadSignature("seal with h=")
    seal = Signature(
        algorithm_of(found["a"]),
        domain_of(found["d"]),
        selector_of(found["s"]),
        "",
        "relaxed",
        "relaxed",
        b"",
        base64(found["b"]),
        (),
    )
    return seal, found["cv"].lower()


def _told(field: Field) -> tuple[results.MethodResult, ...]:
    value = field[1].partition(b":")[2].partition(b";")[2]
    found = results.parsed(value.decode("utf-8", "replace"))
    return tuple(found[1]) if found else ()
