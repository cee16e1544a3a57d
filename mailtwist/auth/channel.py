"""The TLS connection under a login: what ties a proof to it, and who the client is."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

EXPORTER_LABEL, EXPORTER_OCTETS = b"EXPORTER-Channel-Binding", 32  # RFC 9266 §4.2

SHA256 = hashes.SHA256()
UNVERIFIED = "unverified"  # app_data of a connection whose client nobody vouches for


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

    def may_have_certificate(self) -> bool:
        """True if the client showed one that is verified, or is being asked for it."""
        connection: Any = self._transport.getHandle()
        if self._shown() is not None:
            return True
        shaking_hands = connection.get_cipher_name() is None
        return shaking_hands and bool(connection.get_context().get_verify_mode())

    def identities(self, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """Names in the client's certificate of these kinds, in their order."""
        certificate = self._shown()
        if certificate is None:
            return ()
        found = {"email": emails, "common_name": common_names}
        return tuple(name for kind in kinds for name in found[kind](certificate))

    def fingerprint(self) -> str:
        """SHA-256 of the client's certificate, hexadecimal; "" if there is none."""
        certificate = self._shown()
        return "" if certificate is None else certificate.fingerprint(SHA256).hex()

    def _shown(self) -> x509.Certificate | None:
        """The client's certificate, unless verifying it has failed."""
        connection: Any = self._transport.getHandle()
        shown = connection.get_peer_certificate()
        if shown is None or connection.get_app_data() is UNVERIFIED:
            return None
        certificate: x509.Certificate = shown.to_cryptography()
        return certificate


def end_point(certificate: x509.Certificate) -> bytes:
    """tls-server-end-point (RFC 5929 §4.1): its hash by the algorithm of its signature,
    SHA-256 for weaker ones and for those that name none."""
    used = certificate.signature_hash_algorithm
    if used is None or isinstance(used, hashes.MD5 | hashes.SHA1):
        used = hashes.SHA256()
    digest = hashes.Hash(used)
    digest.update(certificate.public_bytes(Encoding.DER))
    return digest.finalize()


def emails(certificate: x509.Certificate) -> list[str]:
    """rfc822Name of subjectAltName (RFC 5280 §4.2.1.6)."""
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (x509.ExtensionNotFound, ValueError):  # none, or none that can be read
        return []
    return extension.value.get_values_for_type(x509.RFC822Name)


def common_names(certificate: x509.Certificate) -> list[str]:
    """commonName of the subject; one with NUL or none in text is nobody's."""
    attributes = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return [one.value for one in attributes if isinstance(one.value, str)]
