"""Scripts with several worker processes: what may happen once happens once."""

import smtplib
from concurrent.futures import ThreadPoolExecutor

from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message
from tests.integration.world import until

SENDERS = 24


class WorkerTests(DaemonTestCase):
    extra = "[process]\nworkers = 3\n"

    def script(self, user, text):
        path = self.daemon.folder / "script.sieve"
        path.write_text(text)
        self.daemon.command("sieve", "put", user, "main", str(path), "--activate")

    def send_many(self, sender, user, letter):
        """At once, each over a connection of its own, so that all workers have some."""

        def send(_):
            with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
                client.sendmail(sender, [user], letter)

        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(send, range(SENDERS)))

    def flags(self, user):
        starttls, client = ways_in.imapclient(self.daemon, user)
        starttls.logout()
        try:
            client.select_folder("INBOX", readonly=True)
            found = client.fetch(client.search(), ["FLAGS"])
        finally:
            client.logout()
        return [b"twice" in one[b"FLAGS"] for one in found.values()]

    def test_one_answer_and_one_that_is_new(self):
        user, sender = self.user(), self.user()
        self.script(
            user,
            'require ["vacation", "duplicate", "imap4flags"];'
            'vacation "away"; if duplicate { addflag "twice"; }',
        )
        letter = b"Message-ID: <once@example.test>\r\n" + message("many", user)
        self.send_many(sender, user, letter)
        found = until(
            lambda: len(held := self.flags(user)) == SENDERS and held,
            lambda: self.daemon.log.read_text()[-3000:],
        )
        self.assertEqual(found.count(False), 1)
        until(lambda: ways_in.messages(self.daemon, sender), str)
        self.send_many(sender, user, letter)
        self.assertEqual(len(ways_in.messages(self.daemon, sender)), 1)
