"""What is lost of the data beside the messages comes back, as clients see it."""

import signal

from tests.integration import ways_in
from tests.integration.daemon import DOMAIN, DaemonTestCase
from tests.integration.programs import message

COLUMNS = ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE"]


class SalvageTests(DaemonTestCase):
    def account(self):
        """A user with mail, keywords, gaps among the UIDs, and a second folder."""
        user = self.user()
        ways_in.deliver(self.daemon, user, *(message(f"subject {n}") for n in range(6)))
        client = self.client(user)
        client.create_folder("Lists/Été")
        client.select_folder("INBOX")
        client.add_flags([1, 3], ["$Junk", "\\Seen"])
        client.add_flags([4], ["$Other", "\\Flagged", "\\Answered"])
        client.copy([3, 4], "Lists/Été")
        client.delete_messages([2, 6])  # one of them with the highest UID
        client.expunge()
        client.logout()
        return user

    def client(self, user):
        return ways_in.imapclient(self.daemon, user)[1]

    def seen(self, user):
        """All that clients can keep in mind about an account's mail."""
        client = self.client(user)
        seen = {}
        for folder in ("INBOX", "Lists/Été"):
            info = client.select_folder(folder, readonly=True)
            rows = client.fetch(client.search("ALL"), COLUMNS)
            for row in rows.values():
                row[b"FLAGS"] = set(row[b"FLAGS"]) - {b"\\Recent"}
            numbers = (info[b"UIDVALIDITY"], info[b"UIDNEXT"])
            seen[folder] = (numbers, dict(rows))
        client.logout()
        pop3 = ways_in.pop3_login(self.daemon, user)
        seen["UIDL"] = pop3.uidl()[1]
        pop3.quit()
        return seen

    def databases(self, user, name):
        home = self.daemon.folder / "data/mail" / DOMAIN / user.partition("@")[0]
        found = list(home.glob(f"{name}.sqlite*"))
        self.assertTrue(found, list(home.iterdir()))
        return found

    def lose(self, user, name):
        for path in self.databases(user, name):
            path.unlink()

    def stop(self):
        self.assertIn(self.daemon.stop(), (0, -signal.SIGTERM))

    def test_uids_and_keywords_survive_the_loss_of_the_state(self):
        for end in (self.stop, self.daemon.kill):
            user = self.account()
            before = self.seen(user)
            end()
            self.lose(user, "state")
            self.daemon.start()
            self.assertEqual(self.seen(user), before)
            client = self.client(user)  # and no UID is used twice
            client.append("INBOX", message("new"))
            client.select_folder("INBOX")
            self.assertEqual(client.search("ALL"), [1, 3, 4, 5, 7])
            client.logout()

    def test_nothing_seen_changes_when_the_cache_goes(self):
        user = self.account()
        before = self.seen(user)
        self.lose(user, "cache")  # while the daemon runs
        self.assertEqual(self.seen(user), before)
        self.stop()
        for path in self.databases(user, "state")[0].parent.glob("cache.sqlite*"):
            path.unlink()
        self.daemon.start()
        self.assertEqual(self.seen(user), before)
        self.databases(user, "cache")  # there is a new one
        self.stop()
        for path in self.databases(user, "cache"):
            path.write_bytes(b"no database" * 1000)
        self.daemon.start()
        self.assertEqual(self.seen(user), before)
