"""Accounts of every kind of source in one server, which was started as root and gave it
up: users of the machine by PAM and by saslauthd, databases and files."""

import os
import smtplib
import stat
from pathlib import Path

from .daemon import PASSWORD
from .program_rounds import curl_round, mutt_round, swaks_round
from .source_machine import MachineTestCase
from .source_world import LATER, OK, WAYS, WRONG
from .ways_in import deliver, imapclient, messages, pop3_login, submission
from .world import until

MESSAGE = b"From: x@else.test\r\nSubject: hello\r\n\r\nfirst line\r\n"


class ChainTests(MachineTestCase):
    def test_everybody_comes_in_over_every_way(self):
        for source, user in self.machine.accounts.items():
            for way, login in WAYS.items():
                for password, word in (
                    (PASSWORD, OK),
                    (PASSWORD + "x", WRONG),
                    (PASSWORD, OK),
                ):
                    told = login(self.daemon, user, password)
                    self.assertEqual(told, word, (source, way, password))

    def test_a_password_opens_its_own_account_alone(self):
        """Two users of the machine change theirs; all others had the same."""
        for user in (self.machine.ann, self.machine.bob):
            user.set_password("changed horse")
        try:
            for source, name in self.machine.accounts.items():
                changed = source in ("system", "saslauthd")
                for way, login in WAYS.items():
                    old, new = (WRONG, OK) if changed else (OK, WRONG)
                    told = login(self.daemon, name, PASSWORD)
                    self.assertEqual(told, old, (source, way))
                    told = login(self.daemon, name, "changed horse")
                    self.assertEqual(told, new, (source, way))
        finally:
            for user in (self.machine.ann, self.machine.bob):
                user.set_password(PASSWORD)

    def test_saslauthd_that_dies_keeps_out_its_users_alone(self):
        machine = self.machine
        machine.saslauthd.stop()
        try:
            for source, user in machine.accounts.items():
                word = LATER if source == "saslauthd" else OK
                for way, login in WAYS.items():
                    told = login(self.daemon, user, PASSWORD)
                    self.assertEqual(told, word, (source, way))
        finally:
            machine.saslauthd.start("pam")
        bob = machine.accounts["saslauthd"]
        until(lambda: WAYS["IMAP"](self.daemon, bob, PASSWORD) == OK, self.logged)

    def test_everybody_sends_to_everybody_and_reads_it(self):
        accounts = list(self.machine.accounts.values())
        before = {user: len(messages(self.daemon, user)) for user in accounts}
        for user in accounts:
            for client in submission(self.daemon, user):
                own = MESSAGE.replace(b"x@else.test", user.encode())
                client.sendmail(user, accounts, own)
                client.quit()
        more = 2 * len(accounts)
        for user in accounts:

            def arrived(user=user):
                got = messages(self.daemon, user)
                return got if len(got) >= before[user] + more else None

            got = until(arrived, self.logged)
            self.assertEqual(len(got), before[user] + more)
            for client in imapclient(self.daemon, user):
                client.select_folder("INBOX")
                self.assertEqual(len(client.search("ALL")), len(got))
                client.logout()

    def test_nobody_sends_as_somebody_of_another_source(self):
        accounts = list(self.machine.accounts.values())
        for user, other in zip(accounts, accounts[1:] + accounts[:1], strict=True):
            client = submission(self.daemon, user)[1]
            with self.assertRaises(smtplib.SMTPResponseException) as refused:
                client.mail(other)
                code, said = client.rcpt(user)
                raise smtplib.SMTPResponseException(code, said)
            self.assertEqual(refused.exception.smtp_code // 100, 5, other)
            client.close()


class ProgramTests(MachineTestCase):
    def test_swaks_logs_in(self):
        for source, user in self.machine.accounts.items():
            for mechanism in ("PLAIN", "LOGIN"):
                said = f"{user} by {mechanism}"
                before = self.logged().count(said)
                login = ("-a", mechanism, "-au", user, "-ap", PASSWORD)
                swaks_round(self.daemon, user, *login)
                self.assertEqual(self.logged().count(said), before + 1, source)

    def test_curl_logs_in(self):
        for user in self.machine.accounts.values():
            client = imapclient(self.daemon, user)[1]
            client.select_folder("INBOX")
            client.delete_messages(client.search("ALL"))
            client.expunge()
            client.logout()
            curl_round(self.daemon, user, "-u", f"{user}:{PASSWORD}")

    def test_mutt_logs_in(self):
        for user in self.machine.accounts.values():
            home = Path(self.mktemp()).absolute()
            home.mkdir()
            settings = {}
            for protocol in ("smtp", "imap", "pop"):
                settings[f"{protocol}_authenticators"] = "plain"
                settings[f"{protocol}_pass"] = PASSWORD
            mutt_round(self.daemon, user, "PLAIN", home, settings)


class HomeTests(MachineTestCase):
    """Where mail of users of the machine lies."""

    def test_in_their_maildir(self):
        for user, source in (
            (self.machine.ann, "system"),
            (self.machine.bob, "saslauthd"),
        ):
            name, before = self.machine.accounts[source], len(user.mail())
            deliver(self.daemon, name, MESSAGE)
            self.assertEqual(len(user.mail()), before + 1)
            for path in user.mail():
                self.assert_his(path, user)
            for other in (self.machine.server, self.machine.users.add()):
                self.assertNotEqual(other.run("cat", user.mail()[0]).returncode, 0)
            client = pop3_login(self.daemon, name)
            for number in range(client.stat()[0]):
                client.dele(number + 1)
            client.quit()
            self.assertEqual(user.mail(), [])

    def test_in_another_maildir(self):
        ann = self.machine.ann
        name = f"{ann.name}@maildir.test"
        deliver(self.daemon, name, MESSAGE)
        (got,) = messages(self.daemon, name)
        self.assertIn(b"first line", got)
        (path,) = (
            file
            for part in ("new", "cur")
            for file in (ann.home / "Mail/in" / part).iterdir()
        )
        self.assert_his(path, ann)

    def test_in_an_mbox_of_their_home(self):
        ann = self.machine.ann
        box = ann.home / "mbox"
        deliver(self.daemon, f"{ann.name}@mbox.test", MESSAGE, MESSAGE)
        self.until_in(box, 2)
        self.assert_his(box, ann)
        for client in imapclient(self.daemon, f"{ann.name}@mbox.test"):
            self.assertEqual(client.select_folder("INBOX")[b"EXISTS"], 2)
            client.add_flags([1], [b"\\Flagged"])
            client.logout()
        self.until_in(box, 2)
        self.assertIn("X-Status: F", box.read_text())

    def test_in_the_spool(self):
        box = self.machine.spool / self.machine.ann.name
        deliver(self.daemon, f"{self.machine.ann.name}@spool.test", MESSAGE, MESSAGE)
        self.until_in(box, 2)
        seen = box.stat()
        self.assertEqual((seen.st_uid, box.group()), (self.machine.ann.uid, "mail"))
        self.assertEqual(stat.S_IMODE(seen.st_mode), 0o600)
        # The lock goes a moment after the mail is there.
        until(lambda: os.listdir(self.machine.spool) == [box.name], self.logged)

    def until_in(self, box, count):
        until(
            lambda: box.exists() and box.read_text().count("first line") == count,
            self.logged,
        )

    def assert_his(self, path, user):
        """A file for the user alone."""
        seen = path.stat()
        self.assertEqual((seen.st_uid, seen.st_gid), (user.uid, user.gid))
        self.assertEqual(stat.S_IMODE(seen.st_mode), 0o600)
