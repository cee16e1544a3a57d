"""`mailtwist quota` beside a running server, and what clients and senders see of it."""

import smtplib

from tests.integration import ways_in
from tests.integration.daemon import DOMAIN, DaemonTestCase

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


class SetQuotaTests(DaemonTestCase):
    """Limits over IMAP: for an administrator, as himself and as master."""

    extra = f"""
[quota]
set_by = ["admin@{DOMAIN}"]
[[master]]
account = "admin@{DOMAIN}"
domains = ["{DOMAIN}"]
protocols = ["imap4"]
[[master]]
account = "helper@{DOMAIN}"
domains = ["{DOMAIN}"]
protocols = ["imap4"]
"""

    def setUp(self):
        super().setUp()
        for name in ("admin", "helper"):
            if f"{name}@" not in self.daemon.command("user", "list"):
                self.daemon.add_user(name)

    def client(self, name):
        client, other = ways_in.imap(self.daemon, name)
        other.logout()
        self.addCleanup(client.logout)
        return client

    def test_a_master_that_may_limits_the_account_he_is_in(self):
        name = self.user()
        master = self.client(f"{name}*admin@{DOMAIN}")
        self.assertIn("QUOTASET", master.capability()[1][0].decode().split())
        told = master.setquota('"User quota"', "(STORAGE 20 MESSAGE 3)")
        self.assertEqual(told, ("OK", [b'"User quota" (STORAGE 0 20 MESSAGE 0 3)']))
        master.create("Lists")
        told = master.setquota("Lists", "(MESSAGE 1)")
        self.assertEqual(told, ("OK", [b"Lists (MESSAGE 0 1)"]))

        owner = self.client(name)
        self.assertNotIn("QUOTASET", owner.capability()[1][0].decode().split())
        _, (roots, quotas) = owner.getquotaroot("Lists")
        self.assertEqual(roots, [b'Lists Lists "User quota"'])
        for root in ("Lists", '"User quota"'):
            status, (text,) = owner.setquota(root, "(MESSAGE 9)")
            self.assertEqual((status, text[:8]), ("NO", b"[NOPERM]"))
        self.assertEqual(owner.append("Lists", "", None, LETTER)[0], "OK")
        self.assertEqual(owner.append("Lists", "", None, LETTER)[0], "NO")
        told = self.daemon.command("quota", "list", name)
        self.assertIn("of 20480 octets", told)
        self.assertIn("1 of 3 messages", told)
        self.assertIn("  Lists: ", told)
        self.assertIn(f"changes what {name} may hold", self.daemon.log.read_text())

    def test_other_masters_may_not(self):
        helper = self.client(f"{self.user()}*helper@{DOMAIN}")
        self.assertNotIn("QUOTASET", helper.capability()[1][0].decode().split())
        status, (text,) = helper.setquota('"User quota"', "(MESSAGE 9)")
        self.assertEqual((status, text[:8]), ("NO", b"[NOPERM]"))

    def test_the_administrator_limits_himself(self):
        client = self.client(f"admin@{DOMAIN}")
        told = client.setquota('"User quota"', "(MESSAGE 30)")
        self.assertEqual(told, ("OK", [b'"User quota" (MESSAGE 0 30)']))
        told = client.setquota('"User quota"', "()")
        self.assertEqual(told, ("OK", [b'"User quota" ()']))
        status, (text,) = client.setquota('"User quota"', "(MAILBOX 3)")
        self.assertEqual((status, text[:8]), ("NO", b"[NOPERM]"))
