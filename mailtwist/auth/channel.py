"""The TLS connection under a login: what ties a proof to it."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

EXPORTER_LABEL, EXPORTER_OCTETS = b"EXPORTER-Channel-Binding", 32  # RFC 9266 §4.2


class TlsChannel:
    """`transport` has started TLS; questions are for after its handshake."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def binding(self, kind: str) -> bytes | None:
        """The channel binding of this type, None if it cannot be had here.

        tls-unique (RFC 5929 §3) is defined up to TLS 1.2.  Sessions are never resumed,
        so the first Finished message is the client's."""
        connection: Any = self._transport.getHandle()
        match kind:
            case "tls-exporter":
                exported: bytes = connection.export_keying_material(
                    EXPORTER_LABEL, EXPORTER_OCTETS, b""
                )
                return exported
            case "tls-unique":
                if connection.get_protocol_version_name() != "TLSv1.2":
                    return None
                finished: bytes | None = connection.get_peer_finished()
                return finished
            case "tls-server-end-point":
                own = connection.get_certificate()
                return None if own is None else end_point(own.to_cryptography())
        return None


def end_point(certificate: x509.Certificate) -> bytes:
    """tls-server-end-point (RFC 5929 §4.1): its hash by the algorithm of its signature,
    SHA-256 for weaker ones and for those that name none."""
    used = certificate.signature_hash_algorithm
    if used is None or isinstance(used, hashes.MD5 | hashes.SHA1):
        used = hashes.SHA256()
    digest = hashes.Hash(used)
    digest.update(certificate.public_bytes(Encoding.DER))
    return digest.finalize()
