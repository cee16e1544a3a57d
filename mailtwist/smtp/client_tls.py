"""TLS towards other hosts: what is asked of them, and whether they gave it.

The handshake itself accepts any certificate; `checked` judges it afterwards, before one
octet of mail is sent, so that a refusal can say why (RFC 8460 §4.3).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from ..directory.reread import Reread
from ..errors import ConfigError, MailError
from ..queue.model import Host
from .client_dane import matches, usable

NOT_SUPPORTED = "starttls-not-supported"
FAILED = "validation-failure"

_EXPIRED = {9: "is not valid yet", 10: "has expired"}
_UNTRUSTED = {
    18: "is signed by itself",
    19: "has a chain that ends in an unknown self-signed one",
    20: "has an issuer that is not known here",
    21: "has an issuer that is not known here",
}


class TlsFailed(MailError):
    """TLS that was asked for did not come up; `result` is an RFC 8460 §4.3 type."""

    status, public = "4.7.5", "The other host gives no TLS that can be trusted"

    def __init__(self, public: str, result: str, *, status: str | None = None) -> None:
        super().__init__(public, status=status)
        self.result = result


class ClientTls:
    """Trusts the CAs of the PEM file `ca`, read again when it changes, or the system's
    as they were at the start; `seconds` says when to look."""

    def __init__(
        self, ca: str = "", seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises ConfigError if the file cannot be used."""
        self._context = Reread(ca, _context, seconds)

    def connection(self, host: Host) -> Connection:
        """What `startTLS` takes, for one connection to `host`."""
        return Connection(self._context(), host)


def _context(ca: str) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    try:
        if ca:
            context.load_verify_locations(ca)
        else:
            context.set_default_verify_paths()
    except SSL.Error as fault:
        raise ConfigError(f"CA file {ca}: cannot be used") from fault
    return context


@implementer(IOpenSSLClientConnectionCreator)
class Connection:
    """One handshake with one host."""

    def __init__(self, context: SSL.Context, host: Host) -> None:
        self._context, self._host = context, host
        self._faults: list[int] = []  # of OpenSSL's own look at the chain

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_verify(SSL.VERIFY_PEER, self._noted)
        host = self._host
        # With DANE the name at which the records are (RFC 7672 §8.1), the first asked.
        base = host.rule.names[:1] if host.rule.level == "dane" else ()
        name = base[0] if base else host.name
        if not _address(name):  # RFC 6066 §3: no addresses in SNI
            connection.set_tlsext_host_name(name.encode("ascii"))
        return connection

    def _noted(
        self, connection: object, certificate: object, fault: int, depth: int, good: int
    ) -> bool:
        if not good:
            self._faults.append(fault)
        return True

    def checked(self, connection: SSL.Connection) -> bool:
        """Judge the certificate by the host's rule; True if the host proved its name.

        Raises TlsFailed."""
        host = self._host
        level = host.rule.level
        if level == "dane":
            if not matches(connection, host):
                raise TlsFailed(
                    f"The certificate of {host.name} fits none of its TLSA records",
                    FAILED,
                )
            return any(map(usable, host.rule.tlsa))
        if level == "verify":
            self._trusted(host)
            _named(connection, host)
            return True
        return False

    def would_fail(self, connection: SSL.Connection) -> str:
        """The result to tell of a host whose policy is only tested (RFC 8461 §5): ""
        if it would pass, or if nothing is tested."""
        if not self._host.rule.testing:
            return ""
        try:
            self._trusted(self._host)
            _named(connection, self._host)
        except TlsFailed as fault:
            return fault.result
        return ""

    def _trusted(self, host: Host) -> None:
        for fault in self._faults:
            if fault in _EXPIRED:
                raise TlsFailed(
                    f"The certificate of {host.name} {_EXPIRED[fault]}",
                    "certificate-expired",
                )
            why = _UNTRUSTED.get(fault, f"cannot be trusted (X.509 fault {fault})")
            raise TlsFailed(
                f"The certificate of {host.name} {why}", "certificate-not-trusted"
            )


def _named(connection: SSL.Connection, host: Host) -> None:
    """The certificate has one of the names (RFC 9525 §6); raises TlsFailed."""
    names = host.rule.names or (host.name,)
    for name in names:
        if name.startswith("."):
            if _below(connection, name):
                return
            continue
        try:
            if _address(name):
                verify_ip_address(connection, name)
            else:
                verify_hostname(connection, name)
        except (VerificationError, CertificateError, ValueError):
            continue
        return
    raise TlsFailed(
        f"The certificate of {host.name} is not for {' or '.join(names)}",
        "certificate-host-mismatch",
    )


def _below(connection: SSL.Connection, suffix: str) -> bool:
    certificate = connection.get_peer_certificate()
    if certificate is None:
        return False
    try:
        names = certificate.to_cryptography().extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (x509.ExtensionNotFound, ValueError):
        return False
    found = names.value.get_values_for_type(x509.DNSName)
    return any(name.lower().endswith(suffix) for name in found)


def _address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
