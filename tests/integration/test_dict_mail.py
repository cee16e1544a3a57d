"""A realm of other people's, mail in dictionaries, behind our servers: real clients."""

import imaplib
import os
import poplib
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ..authority import Authority
from .daemon import free_port
from .programs import message, run
from .world import until

ROOT = Path(__file__).parent.parent.parent
TWISTD = (sys.executable, "-b", "-c", "from twisted.scripts.twistd import run; run()")
ANN, BOB, PASSWORD = "ann@example.com", "bob@example.com", "secret"
WAIT_S = 20


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


class DictMailTestCase(SynchronousTestCase):
    def started(self, folder, **environment):
        self.pop3, self.imap4, self.submission = (free_port() for _ in range(3))
        ports = f"{self.pop3} {self.imap4} {self.submission}"
        self.log = Path(folder, "log")
        self.process = subprocess.Popen(
            [
                *(*TWISTD, "-n", "--pidfile=", f"--logfile={self.log}"),
                *("-y", str(ROOT / "docs/examples/dict_mail.py")),
            ],
            cwd=folder,
            env={
                **os.environ,
                "DICT_MAIL_PORTS": ports,
                "PYTHONPATH": str(ROOT),
                **environment,
            },
        )
        self.addCleanup(self.stop)
        for port in (self.pop3, self.imap4, self.submission):
            until(
                lambda port=port: answers(port),
                lambda: self.log.read_text() if self.log.exists() else "",
            )

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(WAIT_S)
        said = self.log.read_text()
        self.assertNotIn("Traceback", said)
        self.assertNotIn(PASSWORD, said)


class DictMailTests(DictMailTestCase):
    def setUp(self):
        self.started(self.folder())

    def send(self, subject, to=BOB, sender=ANN):
        with smtplib.SMTP("127.0.0.1", self.submission, timeout=WAIT_S) as client:
            client.login(ANN, PASSWORD)
            client.sendmail(sender, [to], message(subject, to, ".dot\nend\n"))

    def imap(self):
        client = imaplib.IMAP4("127.0.0.1", self.imap4, timeout=WAIT_S)
        self.addCleanup(client.shutdown)
        client.login(BOB, PASSWORD)
        return client

    def pop(self):
        client = poplib.POP3("127.0.0.1", self.pop3, timeout=WAIT_S)
        self.addCleanup(client.close)
        client.user(BOB)
        client.pass_(PASSWORD)
        return client

    def test_submission_asks_the_avatar_about_senders_and_recipients(self):
        with self.assertRaises(smtplib.SMTPSenderRefused):
            self.send("no", sender=BOB)
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
            self.send("no", to="nobody@example.com")
        (code, said), *_ = refused.exception.recipients.values()
        self.assertEqual((code, said[:6]), (550, b"5.1.1 "))

    def test_submission_offers_nothing_that_the_avatar_has_no_words_for(self):
        with smtplib.SMTP("127.0.0.1", self.submission, timeout=WAIT_S) as client:
            client.login(ANN, PASSWORD)
            offered = set(client.esmtp_features)
            self.assertTrue({"size", "8bitmime", "chunking", "smtputf8"} <= offered)
            for asked in ("RET=FULL", "BY=99;R", "HOLDFOR=60", "MT-PRIORITY=3"):
                self.assertEqual(client.mail(ANN, [asked])[0], 555, asked)

    def test_IMAP_reads_flags_copies_and_expunges(self):
        for subject in ("one", "two", "three"):
            self.send(subject)
        client = self.imap()
        client.create("KEPT")
        self.assertIn(b'(\\HasNoChildren) "/" KEPT', client.list()[1])
        self.assertEqual(client.select("INBOX")[1], [b"3"])
        body = client.fetch("2", "(BODY.PEEK[TEXT] RFC822.SIZE)")[1][0][1]
        self.assertEqual(body, b".dot\r\nend\r\n")
        whole = client.fetch("2", "(RFC822.SIZE BODY.PEEK[])")[1][0]
        self.assertIn(b"RFC822.SIZE %d " % len(whole[1]), whole[0])
        self.assertEqual(client.search(None, "SUBJECT", "three")[1], [b"3"])
        self.assertEqual(client.copy("1:2", "KEPT")[0], "OK")
        self.assertEqual(
            client.store("1", "+FLAGS", r"(\Flagged)")[1], [b"1 (FLAGS (\\Flagged))"]
        )
        client.store("2", "+FLAGS", r"(\Deleted)")
        self.assertEqual(client.expunge()[1], [b"2"])
        client.append("KEPT", r"(\Seen)", None, message("four"))
        self.assertEqual(client.select("KEPT")[1], [b"3"])
        self.assertIn(b"\\Seen", client.fetch("3", "(FLAGS)")[1][0])
        self.assertEqual(client.status("KEPT", "(UNSEEN)")[1], [b"KEPT (UNSEEN 2)"])
        client.unselect()
        self.assertEqual(client.delete("KEPT")[0], "OK")
        self.assertEqual(client.select("KEPT")[0], "NO")

    def test_capabilities_are_those_that_the_avatar_can_give(self):
        client = self.imap()
        told = client.capability()[1][0].split()
        for name in (b"UIDPLUS", b"MOVE", b"CONDSTORE", b"QRESYNC", b"SPECIAL-USE"):
            self.assertNotIn(name, told)
        for name in (b"IDLE", b"SORT", b"ESEARCH", b"UNSELECT"):
            self.assertIn(name, told)

    def test_a_session_learns_what_came_meanwhile(self):
        client = self.imap()
        self.assertEqual(client.select("INBOX")[1], [b"0"])
        self.send("meanwhile")
        client.noop()
        self.assertEqual(client.response("EXISTS")[1][-1], b"1")

    def test_POP3_reads_and_deletes(self):
        self.send("one")
        self.send("two")
        client = self.pop()
        self.assertEqual(client.stat()[0], 2)
        ids = client.uidl()[1]
        self.assertEqual(len(set(ids)), 2)
        lines = client.retr(1)[1]
        self.assertEqual(lines[-2:], [b".dot", b"end"])
        client.dele(1)
        client.quit()
        client = self.pop()
        self.assertEqual(
            [row.split()[1] for row in client.uidl()[1]], [ids[1].split()[1]]
        )

    def test_APOP_and_wrong_passwords(self):
        client = poplib.POP3("127.0.0.1", self.pop3, timeout=WAIT_S)
        client.apop(BOB, PASSWORD)
        client.quit()
        client = poplib.POP3("127.0.0.1", self.pop3, timeout=WAIT_S)
        self.addCleanup(client.close)
        client.user(BOB)
        with self.assertRaises(poplib.error_proto) as refused:
            client.pass_("wrong")
        self.assertIn(b"[AUTH]", refused.exception.args[0])

    def test_curl_reads_by_both(self):
        self.send("for curl")
        for url in (
            f"imap://127.0.0.1:{self.imap4}/INBOX;MAILINDEX=1",
            f"pop3://127.0.0.1:{self.pop3}/1",
        ):
            _, said = run("curl", "-sS", url, "-u", f"{BOB}:{PASSWORD}")
            self.assertIn("Subject: for curl", said)


class TlsTests(DictMailTestCase):
    def setUp(self):
        folder = self.folder()
        authority = Authority()
        certificate, key = authority.issue_files(folder, "localhost")
        pem = Path(folder, "both.pem")
        pem.write_bytes(key.read_bytes() + certificate.read_bytes())
        self.tls = ssl.create_default_context(cadata=authority.pem.decode())
        self.started(folder, DICT_MAIL_TLS=str(pem))

    def smtp(self):
        client = smtplib.SMTP("localhost", self.submission, timeout=WAIT_S)
        self.addCleanup(client.close)
        client.ehlo()
        return client

    def test_nobody_sends_without_a_login(self):
        client = self.smtp()
        for _ in ("in clear", "behind STARTTLS"):
            self.assertEqual(client.mail(ANN)[0], 530)
            self.assertEqual(client.rcpt(BOB)[0] // 100, 5)
            if "starttls" in client.esmtp_features:
                client.starttls(context=self.tls)
                client.ehlo()

    def test_passwords_are_taken_behind_TLS_alone(self):
        sender = self.smtp()
        self.assertEqual(sender.esmtp_features["auth"].split(), ["CRAM-MD5"])
        sender.starttls(context=self.tls)
        sender.login(ANN, PASSWORD)
        sender.sendmail(ANN, [BOB], message("sealed", BOB))

        reader = imaplib.IMAP4("localhost", self.imap4, timeout=WAIT_S)
        self.addCleanup(reader.shutdown)
        self.assertIn("LOGINDISABLED", reader.capabilities)
        with self.assertRaises(imaplib.IMAP4.error):
            reader.login(BOB, PASSWORD)
        reader.starttls(self.tls)
        reader.login(BOB, PASSWORD)
        self.assertEqual(reader.select("INBOX")[1], [b"1"])

        popper = poplib.POP3("localhost", self.pop3, timeout=WAIT_S)
        self.addCleanup(popper.close)
        with self.assertRaises(poplib.error_proto):
            popper.user(BOB)
            popper.pass_(PASSWORD)
        popper.stls(self.tls)
        popper.user(BOB)
        popper.pass_(PASSWORD)
        self.assertEqual(popper.stat()[0], 1)
