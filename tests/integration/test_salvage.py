"""What is lost of the data beside the messages comes back, as clients see it."""

import signal
import sqlite3

from imapclient.exceptions import IMAPClientError

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

    def test_a_state_that_is_damaged_under_the_daemon_is_made_anew(self):
        """Deep in the file, where opening it does not look."""
        user = self.account()
        before = self.seen(user)
        self.stop()
        (path,) = [p for p in self.databases(user, "state") if p.suffix == ".sqlite"]
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode=DELETE")
        page = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'messages'"
        ).fetchone()[0]
        db.close()
        with path.open("r+b") as file:
            file.seek((root - 1) * page)
            file.write(b"\xff" * page)
        self.daemon.start()
        self.assertRaises(IMAPClientError, self.seen, user)  # once
        self._log_before = self.daemon.log.stat().st_size
        self.assertEqual(self.seen(user), before)
        self.assertTrue((path.parent / "state.sqlite.damaged").exists())
        self.assertIn("agree", self.daemon.command("fsck", user))

    def test_a_newer_state_is_left_alone_and_mail_waits(self):
        user = self.account()
        before = self.seen(user)
        self.stop()
        (path,) = [p for p in self.databases(user, "state") if p.suffix == ".sqlite"]
        with sqlite3.connect(path) as db:
            old = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute("PRAGMA user_version = 9999")
        db.close()
        self.daemon.start()
        client = self.client(user)
        fault = self.assertRaises(IMAPClientError, client.select_folder, "INBOX")
        self.assertNotIn("Traceback", str(fault))
        client.shutdown()
        told = self.daemon.log.read_text()
        self.assertIn("newer mailtwist", told)
        self.stop()
        with sqlite3.connect(path) as db:
            db.execute(f"PRAGMA user_version = {old}")
        db.close()
        self.daemon.start()
        self.assertEqual(self.seen(user), before)
