"""Signatures of mail that leaves: DKIM for what is ours, ARC for what is sent on.

The octets pass through on their way into the queue, and what stands above them is known
at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..address import ascii_domain, normal_domain
from ..errors import BadAddress
from ..mime.address_list import addresses
from ..mime.header import fields, table
from ..trust import results
from ..trust.arc_seal import Sealer
from ..trust.canonical import Field
from ..trust.dkim_sign import Signer
from ..trust.keys import PrivateKey
from .model import Envelope, RemoteRecipient

MOST_HEADER = 256 * 1024  # octets: a message with more is not signed
LEAVES = ("smtp", "smarthost")

RESULTS = b"authentication-results"


class IKeys(Protocol):
    """The keys to sign with."""

    def of(self, domain: str) -> Sequence[PrivateKey]:
        """Those of a domain (A-labels) that are in use; none if there are none."""

    def sealing(self, domain: str) -> PrivateKey | None:
        """The key to seal with what was for `domain`: its own, or that of the first
        domain that has one."""


class Signing:
    """`now` gives seconds of the epoch; `signs` if what is ours is signed, `seals` if
    what strangers sent is sealed when it goes on.  Signatures hold for `expires_s`, for
    ever if that is 0."""

    def __init__(
        self,
        keys: IKeys,
        authserv_id: str,
        now: Callable[[], float],
        *,
        signs: bool = True,
        seals: bool = True,
        expires_s: int = 0,
    ) -> None:
        self.keys, self.authserv_id, self.now = keys, authserv_id, now
        self.expires_s = expires_s
        self.signs, self.seals = signs, seals

    def begin(self, envelope: Envelope) -> Signature | None:
        """For one message; None if it needs no signature."""
        signs = self.signs and envelope.signing
        seals = self.seals and envelope.signing != "author"
        wanted = (signs or seals) and leaves(envelope)
        return Signature(self, envelope) if wanted else None


def leaves(envelope: Envelope) -> bool:
    """True if somebody elsewhere gets it."""
    if envelope.filter is not None:
        return True
    for each in envelope.recipients:
        if isinstance(each, RemoteRecipient) and (
            not each.targets
            or any(target.route.transport in LEAVES for target in each.targets)
        ):
            return True
    return False


class Signature:
    """What stands above one message, from its octets without the envelope's trace."""

    def __init__(self, signing: Signing, envelope: Envelope) -> None:
        self._signing, self._envelope = signing, envelope
        self._held = b""
        self._signers: list[Signer | Sealer] | None = None  # until there is a header
        self._told: Sequence[results.MethodResult] = ()

    def feed(self, octets: bytes) -> None:
        """The next octets."""
        if self._signers is None:
            seam = max(0, len(self._held) - 3)
            self._held += octets
            end = 0 if self._held.startswith(b"\r\n") else -1
            if end < 0:
                end = self._held.find(b"\r\n\r\n", seam)
            if end < 0:
                if len(self._held) > MOST_HEADER:
                    self._held, self._signers = b"", []
                return
            cut = end + 2 if self._held.startswith(b"\r\n") else end + 4
            octets, header = self._held[cut:], self._held[:cut]
            self._held = b""
            self._begin(header)
        for one in self._signers or ():
            one.feed(octets)

    def _begin(self, header: bytes) -> None:
        found = fields(header)
        signing, envelope = self._signing, self._envelope
        self._signers = []
        keys = self._own_keys(found) if envelope.signing and signing.signs else ()
        if keys:
            self._signers.append(Signer(found, keys))
        if envelope.signing == "author" or not signing.seals:
            return
        found = fields(envelope.trace) + found
        told = ours(found, signing.authserv_id)
        key = signing.keys.sealing(self._received_for())
        if told is not None and key is not None:
            self._told = told
            self._signers.append(Sealer(found, key))

    def _own_keys(self, found: Sequence[Field]) -> Sequence[PrivateKey]:
        """Of the author's domain, else of the sender's."""
        envelope = self._envelope
        if envelope.signing == "author":
            for one in addresses(table(list(found)).get(b"from", []))[:1]:
                own = self._keys_of((one.host or b"").decode("utf-8", "replace"))
                if own:
                    return own
        sender = envelope.reverse_path
        return self._keys_of(sender.domain) if sender is not None else ()

    def _keys_of(self, domain: str) -> Sequence[PrivateKey]:
        """Of a domain, or of the next above it that has some: they are one
        organization's, as DMARC sees it."""
        name = _domain(domain)
        while name:
            keys = self._signing.keys.of(name)
            if keys:
                return keys
            name = name.partition(".")[2]
        return ()

    def _received_for(self) -> str:
        """The domain that the message was sent to, and goes on from."""
        sender = self._envelope.reverse_path
        if self._envelope.signing and sender is not None:
            return _domain(sender.domain)
        for each in self._envelope.recipients:
            return _domain(each.address.domain)
        return ""

    def head(self) -> bytes:
        """All octets were given: the fields that stand above them, each with CRLF."""
        if self._signers is None:  # a header and nothing else
            self.feed(b"\r\n" if self._held.endswith(b"\r\n") else b"\r\n\r\n")
        signing, now_s = self._signing, int(self._signing.now())
        made = b""
        for one in self._signers or ():
            if isinstance(one, Signer):
                made += one.signatures(now_s, signing.expires_s)
            else:
                chain = next(
                    (r.result for r in self._told if r.method == "arc"), "none"
                )
                made += one.fields(signing.authserv_id, self._told, chain, now_s)
        return made


def ours(
    found: Sequence[Field], authserv_id: str
) -> Sequence[results.MethodResult] | None:
    """What we found when the message came in; None if we did not check it."""
    for name, raw in found:
        if name.lower() == RESULTS:
            value = raw.partition(b":")[2].decode("utf-8", "replace")
            read = results.parsed(value)
            if read is not None and read[0] == authserv_id:
                return read[1]
    return None


def _domain(text: str) -> str:
    """As A-labels; "" for what is no domain."""
    try:
        found = ascii_domain(normal_domain(text))
    except BadAddress:
        return ""
    return "" if found.startswith("[") else found
