"""SCRAM-PLUS over sockets, with another implementation of SCRAM as the client."""

import imaplib
import poplib
import smtplib
import ssl
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_der_x509_certificate
from scramp import ScramClient

from .daemon import PASSWORD, DaemonTestCase

PLUS = "SCRAM-SHA-256-PLUS"


def context(version):
    made = ssl._create_unverified_context()
    made.maximum_version = version
    return made


def binding(sock):
    if sock.version() == "TLSv1.2":
        return "tls-unique", sock.get_channel_binding("tls-unique")
    shown = load_der_x509_certificate(sock.getpeercert(True))
    return "tls-server-end-point", shown.fingerprint(hashes.SHA256())


class Answers:
    """What the client says to one challenge after the other."""

    def __init__(self, user, sock):
        self.peer = ScramClient([PLUS], user, PASSWORD, channel_binding=binding(sock))
        self.steps = iter((self.first, self.final, self.last))

    def first(self, challenge):
        return self.peer.get_client_first()

    def final(self, challenge):
        self.peer.set_server_first(challenge.decode())
        return self.peer.get_client_final()

    def last(self, challenge):
        self.peer.set_server_final(challenge.decode())
        return ""

    def __call__(self, challenge=b""):
        return next(self.steps)(challenge).encode()


class ChannelBindingTests(DaemonTestCase):
    extra = "[auth]\nchannel_binding = true\n"

    def test_SMTP_POP3_and_IMAP_log_in_over_either_TLS(self):
        ann = self.user()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with smtplib.SMTP("127.0.0.1", self.daemon.port("submission")) as client:
                client.ehlo()
                self.assertNotIn(PLUS, client.esmtp_features.get("auth", ""))
                client.starttls(context=context(version))
                client.ehlo()
                self.assertIn(PLUS, client.esmtp_features["auth"])
                answers = Answers(ann, client.sock)
                code, said = client.docmd("AUTH", PLUS)
                while code == 334:
                    line = b64encode(answers(b64decode(said))).decode()
                    code, said = client.docmd(line)
                self.assertEqual(code, 235)
            imap = imaplib.IMAP4("127.0.0.1", self.daemon.port("imap"))
            imap.starttls(context(version))
            self.assertIn(f"AUTH={PLUS}", imap.capabilities)
            imap.authenticate(PLUS, Answers(ann, imap.sock))
            imap.logout()
            pop3 = poplib.POP3_SSL(
                "127.0.0.1", self.daemon.port("pop3s"), context=context(version)
            )
            self.assertIn(PLUS, pop3.capa()["SASL"])
            answers = Answers(ann, pop3.sock)
            pop3._putcmd(f"AUTH {PLUS}")
            while (line := pop3._getline()[0]).startswith(b"+ "):
                pop3._putline(b64encode(answers(b64decode(line[2:]))))
            self.assertTrue(line.startswith(b"+OK"), line)
            pop3.quit()
        self.assertEqual(self.daemon.log.read_text().count(f"{ann} by {PLUS}"), 6)
