"""kill -9 while scripts run: what was answered with 250 is done, all of it."""

import re
import smtplib
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.integration import ways_in
from tests.integration.daemon import Daemon
from tests.integration.programs import message
from tests.integration.world import until

SCRIPT = (
    'require ["copy", "fileinto", "mailbox"];'
    'redirect :copy "{other}"; fileinto :create :copy "Copies"; keep;'
)
ROUNDS = 4
SENDERS = 4


class SieveCrashTests(SynchronousTestCase):
    timeout = 300

    def setUp(self):
        self.daemon = Daemon("[queue]\nfirst_retry_s = 0.5\nmost_retry_s = 1\n")
        self.addCleanup(self.daemon.remove)
        self.user = self.daemon.add_user("ann")
        self.other = self.daemon.add_user("bob")
        script = self.daemon.folder / "script"
        script.write_text(SCRIPT.format(other=self.other))
        self.daemon.command("sieve", "put", self.user, "a", str(script), "--activate")
        self.taken = set()

    def send(self, name):
        """Mail until the server is gone; remembers what was answered with 250."""
        number = 0
        try:
            with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
                while True:
                    number += 1
                    subject = f"n{name}x{number}n"
                    client.sendmail(
                        "carol@example.org", [self.user], message(subject, self.user)
                    )
                    self.taken.add(subject)
        except (smtplib.SMTPException, OSError):
            return

    def held(self, user, mailbox):
        """The subjects in a mailbox, with repetitions."""
        starttls, client = ways_in.imapclient(self.daemon, user)
        starttls.logout()
        try:
            if not client.folder_exists(mailbox):
                return []
            client.select_folder(mailbox, readonly=True)
            found = client.fetch(client.search(), ["BODY.PEEK[HEADER]"])
        finally:
            client.logout()
        headers = b"".join(one[b"BODY[HEADER]"] for one in found.values())
        return re.findall(r"n\d+x\d+n", headers.decode())

    def test_all_actions_or_none(self):
        for turn in range(ROUNDS):
            self.daemon.start()
            before = len(self.taken)
            threads = [
                Thread(target=self.send, args=(turn * SENDERS + at,))
                for at in range(SENDERS)
            ]
            for thread in threads:
                thread.start()
            until(lambda was=before, n=turn: len(self.taken) > was + 5 + 10 * n)
            self.daemon.kill()
            for thread in threads:
                thread.join()
        self.daemon.start()
        until(self.all_is_done, lambda: str(self.there()), wait_s=120)
        self.daemon.sound(2)

    def there(self):
        """The subjects in each place where a message has to be."""
        places = [(self.user, "INBOX"), (self.user, "Copies"), (self.other, "INBOX")]
        return [set(self.held(*place)) for place in places]

    def all_is_done(self):
        """True if every message is in all places, also one that nobody was told of."""
        first, *others = self.there()
        return self.taken <= first and all(each == first for each in others)
