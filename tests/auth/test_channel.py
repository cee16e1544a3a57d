"""Tests for mailtwist.auth.channel over real handshakes, in memory."""

import contextlib
import hashlib
import tempfile
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.auth.channel import TlsChannel, end_point
from mailtwist.service.tls import ServerTls

VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


class Transport:
    """What a server's transport shows of its connection."""

    def __init__(self, connection):
        self.connection = connection

    def getHandle(self):
        return self.connection


def shaken(version):
    """(server, client) connections whose handshake is done."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "crt"), Path(folder, "key")
        tls = ServerTls(certificate, key, "1.2", ["mx.example.test"])
        tls.load()
    server = tls.serverConnectionForTLS(None)
    server.set_accept_state()
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(VERSIONS[version])
    client = SSL.Connection(context, None)
    client.set_connect_state()
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(1 << 16))
    return server, client


def certificate(key, algorithm):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    made = made.public_key(key.public_key()).serial_number(1)
    start, end = (datetime(year, 1, 1) for year in (2020, 2040))
    return made.not_valid_before(start).not_valid_after(end).sign(key, algorithm)


class ChannelTests(SynchronousTestCase):
    def test_both_ends_have_the_same_bindings(self):
        for version, finished in (("TLSv1.2", True), ("TLSv1.3", False)):
            server, client = shaken(version)
            self.assertEqual(client.get_protocol_version_name(), version)
            channel = TlsChannel(Transport(server))
            exported = client.export_keying_material(
                b"EXPORTER-Channel-Binding", 32, b""
            )
            self.assertEqual(channel.binding("tls-exporter"), exported)
            shown = client.get_peer_certificate().to_cryptography()
            der = shown.public_bytes(Encoding.DER)
            self.assertEqual(
                channel.binding("tls-server-end-point"), hashlib.sha256(der).digest()
            )
            unique = client.get_finished() if finished else None
            self.assertEqual(channel.binding("tls-unique"), unique)
            self.assertIsNone(channel.binding("tls-unheard-of"))

    def test_every_connection_has_its_own(self):
        seen = set()
        for version in (*VERSIONS, *VERSIONS):
            server, _ = shaken(version)
            seen.add(TlsChannel(Transport(server)).binding("tls-exporter"))
        self.assertEqual(len(seen), 4)

    def test_the_hash_of_a_certificate_is_that_of_its_signature(self):
        key = ec.generate_private_key(ec.SECP256R1())
        for signer, algorithm, name, reason in [
            (key, hashes.SHA384(), "sha384", "its own"),
            (key, hashes.SHA256(), "sha256", "its own"),
            (ed25519.Ed25519PrivateKey.generate(), None, "sha256", "names none"),
        ]:
            made = certificate(signer, algorithm)
            want = hashlib.new(name, made.public_bytes(Encoding.DER)).digest()
            self.assertEqual(end_point(made), want, reason)
