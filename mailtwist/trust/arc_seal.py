"""ARC sets made, for mail that goes on to others (RFC 8617 §5.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from . import results
from .arc import MOST_SETS, ArcSet, BadChain, hash_set, seal_digest, sets
from .canonical import Body, Field, relaxed_field
from .dkim_sign import (
    BODY_FORM,
    HEADER_FORM,
    SIGNED,
    folded_names,
    signed_field,
)
from .keys import PrivateKey
from .tags import folded_base64

# The signature covers what DKIM's does, and the signatures of others.
_SIGNED = frozenset(name.lower() for name in (*SIGNED, b"DKIM-Signature"))


class Sealer:
    """Seals one message with `key`: its body passes through `feed`."""

    def __init__(self, fields: Sequence[Field], key: PrivateKey) -> None:
        self._fields, self._key = fields, key
        self._body = Body()
        self._body.want(BODY_FORM, "sha256")

    def feed(self, octets: bytes) -> None:
        """Some octets of the body."""
        self._body.feed(octets)

    def fields(
        self,
        authserv_id: str,
        told: Sequence[results.MethodResult],
        chain: str,
        now_s: int,
    ) -> bytes:
        """The three fields of the next set, the seal at the top; b"" if there can be no
        next set.  `told` are our results, `chain` what we found of the sets before."""
        try:
            before = sets(self._fields)
        except BadChain:
            return b""
        instance = len(before) + 1
        if instance > MOST_SETS or chain not in ("none", "pass"):
            return b""
        own = results.encoded(
            authserv_id, told, f"ARC-Authentication-Results: i={instance}; "
        )
        digest, _ = self._body.digest(BODY_FORM, "sha256")
        names = [name for name, _ in self._fields if name.lower() in _SIGNED]
        message = signed_field(
            "ARC-Message-Signature",
            [
                f"i={instance}; a={self._key.algorithm}-sha256; "
                f"c={HEADER_FORM}/{BODY_FORM};",
                f"d={self._key.domain}; s={self._key.selector}; t={now_s};",
                f"h={folded_names(names)};",
                f"bh={folded_base64(digest)};",
            ],
            self._key,
            self._fields,
            names,
        )
        seal = self._seal(before, own.encode(), message, chain, now_s)
        return seal + message + own.encode()

    def _seal(
        self,
        before: Sequence[ArcSet],
        own: bytes,
        message: bytes,
        chain: str,
        now_s: int,
    ) -> bytes:
        hashed = hashlib.sha256()
        for one in before:
            hash_set(hashed, one)
            hashed.update(relaxed_field(*one.seal))
        front = (
            f"ARC-Seal: i={len(before) + 1}; a={self._key.algorithm}-sha256; "
            f"t={now_s}; cv={chain};\r\n\td={self._key.domain}; "
            f"s={self._key.selector};\r\n\tb="
        )
        seal = b"ARC-Seal", front.encode()
        hash_set(
            hashed,
            ArcSet(
                (b"ARC-Authentication-Results", own),
                (b"ARC-Message-Signature", message),
                seal,
            ),
        )
        signed = self._key.signature(seal_digest(hashed, seal))
        return f"{front}{folded_base64(signed)}\r\n".encode()
