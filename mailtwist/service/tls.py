"""The server's certificate: from files, or self-signed on the first start.

A renewed file is picked up while running; one that cannot be used leaves the old
certificate in service and says so in the log.  TLS 1.2 and up, forward secrecy and
AEAD ciphers only (RFC 9325).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto
from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.logger import Logger
from zope.interface import implementer

from ..address import ascii_domain
from ..auth.channel import UNVERIFIED
from ..config.model import Config, Tls
from ..directory.reread import Open, open_here
from ..errors import ConfigError

log = Logger()

CIPHERS = AcceptableCiphers.fromOpenSSLCipherString(
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:"
    "ECDHE+AESGCM:ECDHE+CHACHA20"
)
SELF_SIGNED_DAYS = 3650
# Whose clients have certificates.
LOGIN_SERVICES = ("submission", "pop3", "imap4", "manage_sieve")
# TypeError is what cryptography says of a key that wants a passphrase.
UNUSABLE = (OSError, ValueError, TypeError, UnsupportedAlgorithm, SSL.Error)


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """Hands out connections with the newest certificate that can be used."""

    def __init__(
        self,
        certificate: Path,
        key: Path,
        minimum: str,
        self_signed_for: Sequence[str] = (),
        client_ca: str = "",
    ) -> None:
        self._certificate, self._key, self._minimum = certificate, key, minimum
        self._self_signed_for = self_signed_for
        self._client_ca = client_ca
        self._context: SSL.Context | None = None
        self._asking_context: SSL.Context | None = None
        self._stamp: object = None

    def load(self) -> None:
        """Read the files; raises ConfigError if there is nothing usable in them.

        With `self_signed_for` names, files that are missing are made first.
        """
        try:
            if self._self_signed_for and not self._certificate.exists():
                write_self_signed(self._certificate, self._key, self._self_signed_for)
                log.info("made the certificate {path}", path=str(self._certificate))
            with ExitStack() as files:
                self._use(*(files.enter_context(open(p, "rb")) for p in self.paths))
        except UNUSABLE as fault:
            raise self._unusable(fault) from fault

    @property
    def loaded(self) -> bool:
        return self._context is not None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Certificate, key, and the CAs of clients if there are some."""
        authorities = (Path(self._client_ca),) if self._client_ca else ()
        return self._certificate, self._key, *authorities

    async def reload_if_renewed(self, open_: Open) -> None:
        """Read the files again if they changed; on a fault the old ones stay."""
        stamp: object = None
        try:
            with ExitStack() as files:
                opened = [
                    files.enter_context(os.fdopen(await open_(str(path)), "rb"))
                    for path in self.paths
                ]
                stamp = stamp_of(opened)
                if stamp == self._stamp:
                    return
                self._use(*opened)
        except UNUSABLE as fault:
            told = stamp or str(fault)
            if told != self._stamp:  # once for each change
                log.error(
                    "renewed certificate not used: {fault}", fault=self._unusable(fault)
                )
            self._stamp = told
        else:
            log.info("certificate {path} read", path=str(self._certificate))

    def _unusable(self, fault: Exception) -> ConfigError:
        files = f"tls.certificate = {self._certificate}, tls.key = {self._key}"
        if self._client_ca:
            files += f", tls.client_ca = {self._client_ca}"
        return ConfigError(f"{files}: cannot be used: {why(fault)}")

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        if self._context is None:
            raise RuntimeError("TLS before load()")
        return SSL.Connection(self._context, None)

    def asking_connection(self) -> SSL.Connection:
        """One that asks the client for a certificate, if that is configured."""
        if self._asking_context is None:
            raise RuntimeError("TLS before load()")
        return SSL.Connection(self._asking_context, None)

    def _use(
        self, certificate: BinaryIO, private: BinaryIO, *authorities: BinaryIO
    ) -> None:
        stamp = stamp_of([certificate, private, *authorities])
        # Twisted hands these on to pyOpenSSL, which deprecates its own kinds of them.
        chain: Any = x509.load_pem_x509_certificates(certificate.read())
        key: Any = serialization.load_pem_private_key(private.read(), None)
        made = self._context_of(chain, key)
        asking = made
        for file in authorities:
            asking = self._context_of(chain, key)
            ask_for_certificate(asking, x509.load_pem_x509_certificates(file.read()))
        self._context, self._asking_context, self._stamp = made, asking, stamp

    def _context_of(self, chain: Any, key: Any) -> SSL.Context:
        options = CertificateOptions(
            privateKey=key,
            certificate=chain[0],
            extraCertChain=chain[1:],
            acceptableCiphers=CIPHERS,
            raiseMinimumTo=TLSVersion.TLSv1_3
            if self._minimum == "1.3"
            else TLSVersion.TLSv1_2,
        )
        context: SSL.Context = options.getContext()
        return context


def ask_for_certificate(
    context: SSL.Context, authorities: Sequence[x509.Certificate]
) -> None:
    """Have clients show a certificate of these CAs; one that cannot be verified is as
    good as none."""
    known = [crypto.X509.from_cryptography(one) for one in authorities]
    store: Any = context.get_cert_store()
    for one in known:
        store.add_cert(one)
    context.set_client_ca_list([one.get_subject() for one in known])
    context.set_session_id(b"mailtwist")
    context.set_verify(SSL.VERIFY_PEER, note_unverified)


def stamp_of(files: Iterable[BinaryIO]) -> object:
    """Something that differs when a file was written or replaced."""
    seen = [os.fstat(file.fileno()) for file in files]
    return [(one.st_ino, one.st_mtime_ns, one.st_size) for one in seen]


@implementer(IOpenSSLServerConnectionCreator)
class AskingTls:
    """The same TLS for services where a client's certificate may log it in.

    Other hosts that bring mail are not asked: theirs are of CAs unknown here."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return self._tls.asking_connection()


def note_unverified(
    connection: SSL.Connection, shown: object, fault: int, depth: int, fine: int
) -> bool:
    """For OpenSSL: go on, the client may still know a password."""
    if not fine:
        connection.set_app_data(UNVERIFIED)
    return True


def server_tls(config: Config, hostname: str) -> ServerTls:
    """The TLS of this configuration, not loaded yet."""
    tls = config.tls
    if tls.certificate:
        certificate = Path(tls.certificate)
        key = Path(tls.key or certificate)
        return ServerTls(certificate, key, tls.minimum, client_ca=tls.client_ca)
    folder = Path(config.server.data, "tls")
    certificate, key = folder / "self-signed.crt", folder / "self-signed.key"
    domains = [domain.name for domain in config.domain]
    names = [hostname, *domains, "localhost", "127.0.0.1", "::1"]
    return ServerTls(certificate, key, tls.minimum, names, tls.client_ca)


def renewal_watch(
    tls: ServerTls, config: Tls, reactor: Any, open_: Open = open_here
) -> TimerService:
    """The service that looks for a renewed certificate."""

    def look() -> Deferred[None]:
        return Deferred.fromCoroutine(tls.reload_if_renewed(open_))

    watch = TimerService(config.check_renewed_s, look)
    watch.clock = reactor
    return watch


def write_self_signed(certificate: Path, key: Path, names: Sequence[str]) -> None:
    """A P-256 certificate of its own for these host names and addresses."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(x509.NameOID.COMMON_NAME, ascii_domain(names[0])[:64])]
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(
            x509.SubjectAlternativeName(
                list(dict.fromkeys(general_name(name) for name in names))
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(key, pem, 0o600)
    write_new(certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(ascii_domain(name))


def write_new(path: Path, octets: bytes, mode: int) -> None:
    """The file whole or not at all, never readable by more than `mode` allows."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def why(fault: Exception) -> str:
    """A fault of OpenSSL or the system in a few words."""
    if isinstance(fault, OSError) and fault.strerror:
        return f"{fault.strerror} ({fault.filename})"
    reasons = fault.args[0] if fault.args else None
    if isinstance(reasons, list) and reasons:
        return str(reasons[0][-1])
    return str(fault) or type(fault).__name__
