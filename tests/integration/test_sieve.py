"""Sieve in the running server: scripts put by the command, mail by SMTP and LMTP."""

import smtplib
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import ROOT, DaemonTestCase, free_port
from tests.integration.programs import message, run
from tests.integration.world import until

LMTP_PORT = free_port()


class SieveTests(DaemonTestCase):
    workers = 2
    extra = f"""
[[listener]]
protocol = "lmtp"
tls = "none"
endpoint = "tcp:{LMTP_PORT}:interface=127.0.0.1"
[sieve]
default = "{ROOT}/etc/sieve/junk.sieve"
"""

    def script(self, user, text):
        path = self.daemon.folder / "script.sieve"
        path.write_text(text)
        self.daemon.command("sieve", "put", user, "main", str(path), "--activate")

    def held(self, user, mailbox="INBOX"):
        """(flags, octets) of the messages in a mailbox."""
        starttls, client = ways_in.imapclient(self.daemon, user)
        starttls.logout()
        try:
            if not client.folder_exists(mailbox):
                return []
            client.select_folder(mailbox, readonly=True)
            found = client.fetch(client.search(), ["FLAGS", "BODY.PEEK[]"])
        finally:
            client.logout()
        return [
            ({flag.decode() for flag in one[b"FLAGS"]} - {"\\Recent"}, one[b"BODY[]"])
            for _, one in sorted(found.items())
        ]

    def arrives(self, user, mailbox="INBOX", count=1):
        """The messages in a mailbox, once there are so many."""
        return until(
            lambda: len(held := self.held(user, mailbox)) >= count and held,
            lambda: self.daemon.log.read_text()[-2000:],
        )

    def send(self, user, subject="hello"):
        ways_in.deliver(self.daemon, user, message(subject, user))

    def test_mail_is_filed_as_it_comes(self):
        user = self.user()
        self.script(
            user,
            'require ["fileinto", "mailbox", "imap4flags"];\n'
            'if header :contains "subject" "work" {\n'
            '  fileinto :create :flags ["\\\\Flagged", "Work"] "Job/Now";\n}\n',
        )
        self.send(user, "at work")
        self.send(user, "at home")
        ((flags, _),) = self.arrives(user, "Job/Now")
        self.assertEqual(flags, {"\\Flagged", "Work"})
        self.assertEqual(len(self.held(user)), 1)

    def test_a_script_holds_from_the_moment_it_is_put(self):
        user = self.user()
        self.send(user)
        self.script(user, "discard;")
        self.send(user)
        self.daemon.command("sieve", "deactivate", user)
        self.send(user)
        self.assertEqual(len(self.arrives(user, count=2)), 2)
        listed = self.daemon.command("sieve", "list", user)
        self.assertEqual(listed, "main\t8\n")
        self.assertEqual(self.daemon.command("sieve", "get", user, "main"), "discard;")
        self.daemon.command("sieve", "delete", user, "main")
        self.assertEqual(self.daemon.command("sieve", "list", user), "")

    def test_all_that_a_script_asks_for_is_done(self):
        user, other = self.user(), self.user()
        self.script(
            user,
            'require ["copy", "fileinto", "mailbox", "vacation", "enotify"];'
            'require "duplicate";'
            f'if duplicate {{ discard; stop; }} redirect :copy "{other}";'
            'fileinto :create :copy "Copies"; vacation "Away";'
            f'notify :message "You have mail" "mailto:{other}"; keep;',
        )
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            for _ in range(3):
                client.sendmail(
                    other,
                    [user],
                    b"Message-ID: <once@example.org>\r\n" + message("all", user),
                )
        self.assertEqual(len(self.arrives(user)), 1)
        self.assertEqual(len(self.arrives(user, "Copies")), 1)
        found = self.arrives(other, count=3)
        subjects = sorted(
            line
            for _, octets in found
            for line in octets.partition(b"\r\n\r\n")[0].split(b"\r\n")
            if line.startswith(b"Subject:")
        )
        self.assertEqual(
            subjects,
            [b"Subject: Auto: all", b"Subject: You have mail", b"Subject: all"],
        )
        redirected = next(o for _, o in found if b"\r\nSubject: all\r\n" in o)
        self.assertIn(b"\r\nDelivered-To: %s\r\n" % user.encode(), redirected)

    def test_a_refusal_is_told_in_smtp(self):
        user = self.user()
        self.script(user, 'require "ereject"; ereject "Not here, thanks";')
        status, told = run(
            *("swaks", "-s", "127.0.0.1", "-p", self.daemon.port("smtp")),
            *("-f", "carol@example.org", "-t", user),
            ok=False,
        )
        self.assertNotEqual(status, 0)
        self.assertIn("550 5.7.1 Not here, thanks", told)

    def test_the_whole_reason_comes_to_the_sender(self):
        user, sender = self.user(), self.user()
        reason = "Nicht hier,\r\ngr\u00fc\u00dfe"
        for command, options, code, told in [
            ("ereject", [], 550, b"5.7.1 Nicht hier,\n5.7.1 gr??e"),
            ("reject", ["SMTPUTF8"], 550, f"5.7.1 {reason}".encode()),
            ("reject", [], 250, b""),
        ]:
            self.script(user, f'require "{command}"; {command} "{reason}";')
            with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
                client.ehlo()
                client.mail(sender, options)
                client.rcpt(user)
                got = client.data(message("refused", user))
            self.assertEqual(got[0], code, (command, options))
            if told:
                want = told.replace(b"\r\n", b"\n5.7.1 ")
                self.assertEqual(got[1], want, (command, options))
        ((_, notice),) = self.arrives(sender)
        self.assertIn(b"report-type=disposition-notification", notice)
        self.assertIn(b"gr=C3=BC=C3=9Fe", notice)
        self.assertEqual(self.held(user), [])

    def test_a_refusal_by_some_is_told_by_mail(self):
        user, other, sender = self.user(), self.user(), self.user()
        self.script(user, 'require "reject"; reject "Not here, thanks";')
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.sendmail(sender, [user, other], message("both", user))
        self.assertEqual(len(self.arrives(other)), 1)
        ((_, report),) = self.arrives(sender)
        self.assertIn(b"Not here, thanks", report)
        self.assertEqual(self.held(user), [])

    def test_each_recipient_of_lmtp_is_told(self):
        user, other = self.user(), self.user()
        self.script(user, 'require "reject"; reject "Not here, thanks";')
        with smtplib.LMTP("127.0.0.1", LMTP_PORT) as client:
            client.ehlo()
            client.mail("carol@example.org")
            for each in (user, other):
                client.rcpt(each)
            client.putcmd("DATA")
            self.assertEqual(client.getreply()[0], 354)
            client.send(message("lmtp", user) + b"\r\n.\r\n")
            first, second = client.getreply(), client.getreply()
        self.assertEqual((first[0], second[0]), (550, 250))
        self.assertIn(b"Not here, thanks", first[1])

    def test_a_script_that_fails_keeps_the_mail_and_tells_its_owner(self):
        user = self.user()
        self.script(user, 'require "include"; include "none";')
        self.send(user)
        held = self.arrives(user, count=2)
        notes = [octets for _, octets in held if b"Your mail filter failed" in octets]
        self.assertIn(b'there is no script "none"', notes[0])
        self.send(user)
        self.assertEqual(len(self.arrives(user, count=3)), 3)

    def test_spam_goes_to_junk_by_default(self):
        user = self.user()
        ways_in.deliver(
            self.daemon, user, b"X-Spam-Flag: YES\r\n" + message("spam", user)
        )
        self.send(user, "ham")
        self.assertEqual(len(self.arrives(user)), 1)
        self.assertEqual(len(self.arrives(user, "Junk")), 1)

    def test_a_large_message_with_a_script(self):
        user = self.user()
        self.script(
            user,
            'require ["body", "fileinto", "mailbox"];'
            'if body :raw :contains "needle" { fileinto :create "Found"; }',
        )
        body = b"x" * 70 + b"\r\n"
        large = message("large", user) + body * 70_000 + b"needle\r\n"
        ways_in.deliver(self.daemon, user, large)
        ((_, octets),) = self.arrives(user, "Found")
        self.assertTrue(octets.endswith(b"needle\r\n"))
        left = list(Path(self.daemon.folder, "data", "sieve").glob("*"))
        self.assertEqual(left, [])

    def test_a_try_does_nothing(self):
        user = self.user()
        self.script(
            user,
            'require ["fileinto", "mailbox"];\n'
            'if header :contains "subject" "hello" {\n fileinto :create "New";\n}',
        )
        letter = self.daemon.folder / "letter"
        letter.write_bytes(message("hello", user))
        told = self.daemon.command("sieve", "test", "--user", user, str(letter))
        want = '=> file into "New", made if it is missing (line 3, column 2)\n'
        self.assertEqual(told, want)
        told = self.daemon.command("sieve", "trace", "--user", user, str(letter))
        self.assertIn("line 2, column 4: header is true\n", told)
        self.assertTrue(told.endswith(want))
        self.assertEqual(self.held(user, "New"), [])

    def test_a_wrong_script_is_not_kept(self):
        user = self.user()
        path = self.daemon.folder / "bad.sieve"
        path.write_text('keep;\n  fileinto "x";\n')
        with self.assertRaisesRegex(AssertionError, 'bad.sieve:2:3: "fileinto" needs'):
            self.daemon.command("sieve", "put", user, "main", str(path))
        with self.assertRaisesRegex(AssertionError, 'bad.sieve:2:3: "fileinto" needs'):
            self.daemon.command("sieve", "check", str(path))
        self.assertEqual(self.daemon.command("sieve", "list", user), "")
