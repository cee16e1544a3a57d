"""The certificate: clients may check it, and a renewed one needs no restart."""

import smtplib
import ssl
import time

from cryptography import x509

from mailtwist.service.tls import write_self_signed
from tests.integration import ways_in
from tests.integration.daemon import DOMAIN, DaemonTestCase
from tests.integration.programs import run

RENEWED_S = 30.0
HOST = f"mail.{DOMAIN}"


def serial_of(client):
    """The serial number of the certificate that a client was shown."""
    return x509.load_der_x509_certificate(client.sock.getpeercert(True)).serial_number


class CertificateTests(DaemonTestCase):
    extra = "[tls]\ncheck_renewed_s = 1\n"

    def setUp(self):
        super().setUp()
        folder = self.daemon.folder / "data/tls"
        self.certificate = folder / "self-signed.crt"
        self.key = folder / "self-signed.key"

    def clients(self):
        """A client for each of the six ways in."""
        clients = [
            *ways_in.submission(self.daemon),
            *ways_in.pop3(self.daemon),
            *ways_in.imap(self.daemon),
        ]
        for client in clients:
            self.addCleanup(client.sock.close)
        return clients

    def told_after(self, start, text):
        """Wait until the log, from octet `start` on, says `text`."""
        end = time.monotonic() + RENEWED_S
        while text not in self.daemon.log.read_bytes()[start:].decode():
            self.assertLess(time.monotonic(), end, f"never told: {text}")
            self.daemon.pause()

    def serial_on_disk(self):
        pem = self.certificate.read_bytes()
        return x509.load_pem_x509_certificate(pem).serial_number

    def test_clients_that_check_it_are_content(self):
        context = ssl.create_default_context(cafile=str(self.certificate))
        client = smtplib.SMTP("localhost", self.daemon.port("submission"))
        client.starttls(context=context)
        client.quit()
        url = f"imaps://localhost:{self.daemon.port('imaps')}/"
        run("curl", "-sS", "--cacert", self.certificate, url, "-X", "CAPABILITY")
        _, text = run(
            *("openssl", "s_client", "-starttls", "smtp", "-verify_return_error"),
            *("-verify_hostname", HOST, "-CAfile", self.certificate),
            *("-connect", f"localhost:{self.daemon.port('smtp')}"),
            said="QUIT\n",
        )
        self.assertIn("Verification: OK", text)

    def test_a_renewed_one_is_served_without_a_restart_and_old_sessions_go_on(self):
        old = self.clients()
        before = self.serial_on_disk()
        self.assertEqual({serial_of(client) for client in old}, {before})
        process = self.daemon.process.pid
        write_self_signed(self.certificate, self.key, [HOST, "localhost"])
        renewed = self.serial_on_disk()
        self.assertNotEqual(renewed, before)
        end = time.monotonic() + RENEWED_S
        while (served := serial_of(ways_in.imap(self.daemon)[1])) != renewed:
            self.assertEqual(served, before)
            self.assertLess(time.monotonic(), end, "the renewed one is not served")
            self.daemon.pause()
        self.assertEqual({serial_of(client) for client in self.clients()}, {renewed})
        for client in old:
            client.capa() if hasattr(client, "capa") else client.noop()
        self.assertEqual({serial_of(client) for client in old}, {before})
        self.assertEqual(self.daemon.process.pid, process)
        self.assertIsNone(self.daemon.process.poll())

    def test_one_that_cannot_be_used_is_told_and_the_old_one_stays(self):
        before, pem = self.serial_on_disk(), self.certificate.read_bytes()
        start = self.daemon.log.stat().st_size
        self.certificate.write_bytes(pem[:200])
        self.told_after(start, "renewed certificate not used: tls.certificate = ")
        self.assertEqual({serial_of(client) for client in self.clients()}, {before})
        start = self.daemon.log.stat().st_size
        self.certificate.write_bytes(pem)
        self.told_after(start, f"certificate {self.certificate} read")
        self.assertEqual({serial_of(client) for client in self.clients()}, {before})
