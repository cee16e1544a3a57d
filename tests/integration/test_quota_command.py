"""`mailtwist quota` beside a running server, and what clients and senders see of it."""

import smtplib

from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase

MORE = """
[quota]
mailbox_limits = ["Lists: 10 KiB"]
"""
LETTER = b"Subject: hello\r\n\r\n" + (b"x" * 70 + b"\r\n") * 40


class QuotaCommandTests(DaemonTestCase):
    extra = MORE

    def setUp(self):
        super().setUp()
        self.name = self.user()

    def client(self):
        client, other = ways_in.imap(self.daemon, self.name)
        other.logout()
        self.addCleanup(client.logout)
        return client

    def send(self):
        port = self.daemon.port("smtp")
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.sendmail("bob@client.test", [self.name], LETTER)

    def test_limits_are_set_and_seen_at_once(self):
        client = self.client()
        client.create("Lists/py")
        _, (roots, quotas) = client.getquotaroot("Lists/py")
        self.assertEqual(roots, [b"Lists/py Lists"])
        self.assertEqual(quotas, [b"Lists (STORAGE 0 10)"])

        limits = ["--mailbox", "Lists/py", "--messages", "1"]
        told = self.daemon.command("quota", "set", self.name, *limits)
        self.assertIn("  Lists/py: 0 octets, 0 of 1 messages (0%)", told)
        self.assertEqual(client.append("Lists/py", "", None, LETTER)[0], "OK")
        status, (text,) = client.append("Lists/py", "", None, LETTER)
        self.assertEqual((status, text[:11]), ("NO", b"[OVERQUOTA]"))

        self.daemon.command("quota", "set", self.name, "--storage", "8 KiB")
        self.send()
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
            for _ in range(9):
                self.send()
        ((code, text),) = caught.exception.recipients.values()
        self.assertEqual((code, text.split()[0]), (452, b"4.2.2"))
        told = self.daemon.command("quota", "list", self.name)
        self.assertIn("of 8192 octets", told)
        self.assertEqual(told, self.daemon.command("quota", "recount", self.name))
        _, (line,) = client.getquota('"User quota"')
        held = int(line.split()[3])
        self.assertEqual(held, -(-int(told.split()[1]) // 1024))

    def test_a_full_mailbox_refuses_at_RCPT_what_would_go_there(self):
        """Of an account without any other limit."""
        client = self.client()
        client.create("Full")
        client.create("Full/py")
        client.setacl("Full/py", "anyone", "p")
        self.daemon.command(
            "quota", "set", self.name, "--mailbox", "Full", "--storage", "4 KiB"
        )
        posted = "+full/py@".join(self.name.split("@"))
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp"), timeout=30) as smtp:
            smtp.ehlo()
            for to, size, code in (
                (posted, 4000, 250),
                (posted, 5000, 452),
                (self.name, 5000, 250),
            ):
                smtp.mail("bob@client.test", [f"size={size}"])
                self.assertEqual(smtp.rcpt(to)[0], code, (to, size))
                smtp.rset()
        self.daemon.command(
            "quota", "set", self.name, "--mailbox", "INBOX", "--messages", "1"
        )
        self.send()
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.send()

    def test_what_cannot_be_is_told(self):
        for words, wanted in [
            ([], "give --storage"),
            (["--storage", "much"], "give a size"),
            (["--messages", "x"], "--messages x"),
            (["--mailboxes", "5"], "stands in the configuration"),
            (["--mailbox", "a//b", "--messages", "5"], "a part of the name is empty"),
        ]:
            with self.assertRaises(AssertionError, msg=words) as caught:
                self.daemon.command("quota", "set", self.name, *words)
            self.assertIn(wanted, str(caught.exception), words)


class DomainTests(DaemonTestCase):
    """Accounts of a domain share what it may hold."""

    extra = '[[domain]]\nname = "full.test"\nmessages = 3\nstorage_octets = "1 MiB"\n'

    def setUp(self):
        super().setUp()
        self.names = [
            self.daemon.add_user(f"{name}@full.test") for name in ("ann", "bob")
        ]

    def send(self, name):
        port = self.daemon.port("smtp")
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.sendmail("bob@client.test", [name], LETTER)

    def test_senders_clients_and_commands_see_the_sum(self):
        ann, bob = self.names
        self.send(ann)
        client, other = ways_in.imap(self.daemon, bob)
        other.logout()
        self.addCleanup(client.logout)
        self.assertEqual(client.append("INBOX", "", None, LETTER)[0], "OK")
        _, (roots, (line,)) = client.getquotaroot("INBOX")
        self.assertEqual(roots, [b'INBOX "Domain full.test"'])
        held = int(line.split()[3])
        root = b'"Domain full.test" (STORAGE %d 1024 MESSAGE 2 3)' % held
        self.assertEqual(line, root)
        self.assertGreater(held, 5)

        self.send(ann)
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
            self.send(bob)
        ((code, text),) = caught.exception.recipients.values()
        self.assertEqual((code, text.split()[0]), (452, b"4.2.2"))
        status, (text,) = client.append("INBOX", "", None, LETTER)
        self.assertEqual((status, text[:11]), ("NO", b"[OVERQUOTA]"))

        told = self.daemon.command("quota", "list", ann, bob)
        last = told.splitlines()[-1]
        self.assertRegex(
            last, r"^all of full\.test: \d+ of 1048576 .*, 3 of 3 messages"
        )
        self.assertEqual(told, self.daemon.command("quota", "recount", ann, bob))

        client.select("INBOX")
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
        self.send(bob)
