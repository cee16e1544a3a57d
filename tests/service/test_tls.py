"""Tests for mailtwist.service.tls: real certificates and real handshakes."""

import contextlib
import os
import socket
import ssl
import threading
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.load import loads
from mailtwist.errors import ConfigError
from mailtwist.service.tls import ServerTls, open_here, server_tls, write_self_signed


def handshake(tls, context):
    """The version and the certificate (DER) a client with `context` gets."""
    ours, theirs = socket.socketpair()
    server = SSL.Connection(tls.serverConnectionForTLS(None).get_context(), ours)
    server.set_accept_state()

    def serve():
        try:
            server.do_handshake()
            server.recv(1)
        except SSL.Error:
            pass
        finally:
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with context.wrap_socket(theirs, server_hostname="mail.example.org") as client:
            return client.version(), client.getpeercert(binary_form=True)
    finally:
        theirs.close()
        thread.join()


class TlsTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.certificate = self.folder / "c.pem"
        self.key = self.folder / "k.pem"

    def made(self, minimum="1.2"):
        write_self_signed(self.certificate, self.key, ["mail.example.org"])
        tls = ServerTls(self.certificate, self.key, minimum)
        tls.load()
        return tls

    def reload(self, tls):
        self.successResultOf(Deferred.fromCoroutine(tls.reload_if_renewed(open_here)))

    def trusting(self):
        return ssl.create_default_context(cafile=str(self.certificate))

    def test_the_first_start_makes_a_certificate_that_fits_the_host(self):
        config = loads(
            b'[[domain]]\nname = "example.org"', self.folder / "mailtwist.toml"
        )
        data = self.folder / "data"
        from attrs import evolve

        config = evolve(config, server=evolve(config.server, data=str(data)))
        tls = server_tls(config, "mail.example.org")
        self.assertFalse(data.exists())
        tls.load()
        key = data / "tls/self-signed.key"
        self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)
        context = ssl.create_default_context(cafile=str(data / "tls/self-signed.crt"))
        self.assertEqual(handshake(tls, context)[0], "TLSv1.3")

    def test_versions_before_1_2_are_refused(self):
        tls = self.made()
        context = self.trusting()
        with warnings.catch_warnings():  # that they are deprecated is the point
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        self.assertRaises((ssl.SSLError, OSError), handshake, tls, context)

    def test_1_2_can_be_switched_off(self):
        context = self.trusting_of(self.made("1.3"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertRaises((ssl.SSLError, OSError), handshake, self.tls, context)

    def trusting_of(self, tls):
        self.tls = tls
        return self.trusting()

    def test_ciphers_without_forward_secrecy_are_refused(self):
        tls = self.made()
        context = self.trusting()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES256-GCM-SHA384:ECDHE+AES+SHA")
        self.assertRaises((ssl.SSLError, OSError), handshake, tls, context)

    def test_a_renewed_certificate_is_served_without_a_restart(self):
        tls = self.made()
        before = handshake(tls, self.trusting())[1]
        write_self_signed(self.certificate, self.key, ["mail.example.org"])
        self.reload(tls)
        after = handshake(tls, self.trusting())[1]
        self.assertNotEqual(before, after)

    def test_a_broken_renewal_leaves_the_old_certificate_in_service(self):
        tls = self.made()
        context = self.trusting()
        before = handshake(tls, context)[1]
        self.certificate.write_text("-----BEGIN CERTIFICATE-----\nbroken\n")
        self.reload(tls)
        self.assertEqual(handshake(tls, context)[1], before)

    def test_a_key_that_does_not_fit_is_told_with_both_files(self):
        self.made()
        other = self.folder / "other.pem"
        write_self_signed(self.folder / "x.pem", other, ["x.example"])
        tls = ServerTls(self.certificate, other, "1.2")
        fault = self.assertRaises(ConfigError, tls.load)
        self.assertIn(str(other), str(fault))

    def test_a_chain_is_sent_whole(self):
        self.made()
        other = self.folder / "x.pem"
        write_self_signed(other, self.folder / "other.pem", ["x.example"])
        with self.certificate.open("ab") as chain:
            chain.write(other.read_bytes())
        tls = ServerTls(self.certificate, self.key, "1.2")
        tls.load()
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        server = tls.serverConnectionForTLS(None)
        client.set_connect_state()
        server.set_accept_state()
        for one, peer in [(client, server), (server, client)] * 2:
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                peer.bio_write(one.bio_read(65536))
        theirs = client.get_peer_cert_chain(as_cryptography=True)
        self.assertEqual(
            theirs, x509.load_pem_x509_certificates(self.certificate.read_bytes())
        )

    def test_a_key_with_a_passphrase_is_told_not_asked_for(self):
        self.made()
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        tls = ServerTls(self.certificate, self.key, "1.2")
        fault = self.assertRaises(ConfigError, tls.load)
        self.assertIn("encrypted", str(fault))

    def test_nothing_deprecated_is_used(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.made()

    def test_a_missing_file_is_told(self):
        tls = ServerTls(self.folder / "no.pem", self.folder / "no.key", "1.2")
        fault = self.assertRaises(ConfigError, tls.load)
        self.assertIn("No such file", str(fault))
