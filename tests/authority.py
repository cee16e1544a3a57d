"""A certification authority for tests: certificates good and bad, in memory."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    PrivateCertificate,
)

from mailtwist.service.tls import general_name

DAY = timedelta(days=1)


class Authority:
    """`pem` is its own certificate, for clients to trust."""

    def __init__(self, name="Test CA"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._made(self._name, self._key.public_key(), (), ca=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def _made(self, subject, key, names, *, ca=False, days=1):
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 9 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName(map(general_name, names))
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, *names, days=1):
        """(certificate, key) for these names, valid for so many days more."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        return self._made(subject, key.public_key(), names, days=days), key

    def issue_files(self, folder, *names, days=1):
        """(file of the certificate and its chain, file of its key) in `folder`."""
        certificate, key = self.issue(*names, days=days)
        chain, secret = (Path(folder, f"{names[0]}.{kind}") for kind in ("crt", "key"))
        chain.write_bytes(pem_of(certificate) + self.pem)
        secret.write_bytes(pem_key(key))
        return chain, secret

    def server(self, *names, days=1, **options):
        """A TLS server's options with a certificate for these names."""
        certificate, key = self.issue(*names, days=days)
        made = PrivateCertificate.fromCertificateAndKeyPair(
            _loaded(certificate), KeyPair.load(pem_key(key), 1)
        )
        chain = [_loaded(self.certificate).original]
        return CertificateOptions(
            privateKey=made.privateKey.original,
            certificate=made.original,
            extraCertChain=chain,
            **options,
        ), certificate


def _loaded(certificate):
    return Certificate.loadPEM(pem_of(certificate))


def pem_of(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def pem_key(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
