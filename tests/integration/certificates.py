"""A CA of a test, and certificates of users."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """`path` is its certificate in PEM."""

    def __init__(self, folder: Path, name: str = "CA of a test") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        constraint = x509.BasicConstraints(ca=True, path_length=0)
        made = self._begun(self._name, self._key).add_extension(constraint, True)
        self.path = folder / f"{name.replace(' ', '-')}.pem"
        self._write(self.path, made.sign(self._key, hashes.SHA256()))

    def user(self, name: str, email: str, days: int = 1) -> Path:
        """PEM file with a user's key and certificate; expired if `days` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        names = x509.SubjectAlternativeName([x509.RFC822Name(email)])
        made = self._begun(subject, key, days).add_extension(usage, False)
        signed = made.add_extension(names, False).sign(self._key, hashes.SHA256())
        path = self._folder / f"{name}{days}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self._write(path, signed, private)
        path.chmod(0o600)
        return path

    def _begun(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=10))
            .not_valid_after(now + timedelta(days=days))
        )

    @staticmethod
    def _write(path: Path, made: x509.Certificate, private: bytes = b"") -> None:
        path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
