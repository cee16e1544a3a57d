"""Certificates held against TLSA records (RFC 6698, RFC 7671, RFC 7672)."""

from __future__ import annotations

import hashlib
import hmac

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname

from ..queue.model import Host

TRUST_ANCHOR, END_ENTITY = 2, 3  # DANE-TA and DANE-EE (RFC 7671 §5)
CERTIFICATE, KEY = 0, 1  # selectors
_DIGESTS = {1: "sha256", 2: "sha512"}

Record = tuple[int, int, int, bytes]


def usable(record: Record) -> bool:
    """True if the record can be judged; PKIX usages say nothing to an MTA
    (RFC 7672 §3.1.3)."""
    usage, selector, matching, _ = record
    return (
        usage in (TRUST_ANCHOR, END_ENTITY)
        and selector in (CERTIFICATE, KEY)
        and (matching == 0 or matching in _DIGESTS)
    )


def matches(connection: SSL.Connection, host: Host) -> bool:
    """True if the peer's certificate fits a record, or if none is usable, when TLS
    alone is enough (RFC 7672 §2.2)."""
    records = [record for record in host.rule.tlsa if usable(record)]
    if not records:
        return True
    leaf = connection.get_peer_certificate()
    if leaf is None:
        return False
    if any(r[0] == END_ENTITY and _fits(leaf, r) for r in records):
        return True  # names and dates do not count (RFC 7672 §3.1.1)
    anchors = [r for r in records if r[0] == TRUST_ANCHOR]
    return bool(anchors) and _anchored(connection, leaf, anchors, host)


def _fits(certificate: crypto.X509, record: Record) -> bool:
    _, selector, matching, data = record
    try:
        known = certificate.to_cryptography()
        if selector == CERTIFICATE:
            octets = known.public_bytes(Encoding.DER)
        else:
            octets = known.public_key().public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            )
    except (ValueError, UnsupportedAlgorithm):
        return False
    if matching:
        octets = hashlib.new(_DIGESTS[matching], octets).digest()
    return hmac.compare_digest(octets, data)


def _anchored(
    connection: SSL.Connection,
    leaf: crypto.X509,
    records: list[Record],
    host: Host,
) -> bool:
    """True if the chain leads to a certificate of the records, and the leaf has the
    host's name (RFC 7672 §3.1.2)."""
    chain = connection.get_peer_cert_chain() or []
    anchors = [c for c in chain if any(_fits(c, record) for record in records)]
    for _, selector, matching, data in records:
        if (selector, matching) == (CERTIFICATE, 0):  # it may be only in the record
            try:
                known = x509.load_der_x509_certificate(data)
            except ValueError:
                continue
            anchors.append(crypto.X509.from_cryptography(known))
    for anchor in anchors:
        store = crypto.X509Store()
        store.add_cert(anchor)
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        try:
            crypto.X509StoreContext(store, leaf, chain).verify_certificate()
        except crypto.X509StoreContextError:
            continue
        for name in host.rule.names or (host.name,):
            try:
                verify_hostname(connection, name)
            except (VerificationError, CertificateError, ValueError):
                continue
            return True
    return False
