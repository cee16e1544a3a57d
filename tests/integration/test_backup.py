"""Backups of the running daemon, and the way back while it runs or from nothing."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message


class PublicTests(DaemonTestCase):
    """A public folder that lies outside of the data folder, and what is shared."""

    extra = """
[[public_folder]]
name = "News"
maildir = "news"
rights = ["anyone lrswipkxte"]
"""

    def test_public_folders_and_what_is_shared_come_back(self):
        target = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, target, True)
        ann, bob = self.user(), self.user()
        client = ways_in.imapclient(self.daemon, ann)[1]
        client.create_folder("Shared/News/Python")
        client.append("Shared/News/Python", message("public"))
        self.daemon.command("share", "add", ann, "--members", bob, "--send-as")
        self.daemon.command("backup", str(target))
        client.select_folder("Shared/News/Python")
        client.delete_messages([1])
        client.expunge()
        self.assertIn("1 message", self.daemon.command("restore", str(target), "#News"))
        self.assertEqual(client.select_folder("Shared/News/Python")[b"EXISTS"], 1)
        client.logout()

        self.daemon.stop()
        listed = self.daemon.command("share", "list")
        self.assertIn(bob, listed)
        for path in (self.daemon.folder / "data", self.daemon.folder / "news"):
            shutil.rmtree(path)
        self.daemon.command("restore", str(target), "--all")
        self.assertEqual(self.daemon.command("share", "list"), listed)
        self.daemon.start()
        client = ways_in.imapclient(self.daemon, bob)[1]
        self.assertEqual(client.select_folder("Shared/News/Python")[b"EXISTS"], 1)
        self.assertEqual(client.select_folder(f"Other Users/{ann}/INBOX")[b"EXISTS"], 0)
        client.logout()


class BackupTests(DaemonTestCase):
    def setUp(self):
        super().setUp()
        self.target = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, self.target, True)

    def backup(self, *options):
        return self.daemon.command("backup", str(self.target), *options)

    def restore(self, *options):
        return self.daemon.command("restore", str(self.target), *options)

    def client(self, user):
        return ways_in.imapclient(self.daemon, user)[1]

    def seen(self, user, *folders):
        client = self.client(user)
        found = {}
        for folder in folders:
            client.select_folder(folder, readonly=True)
            rows = client.fetch(
                client.search("ALL"), ["FLAGS", "INTERNALDATE", "BODY.PEEK[]"]
            )
            found[folder] = sorted(
                (
                    row[b"BODY[]"],
                    sorted(set(row[b"FLAGS"]) - {b"\\Recent"}),
                    row[b"INTERNALDATE"],
                )
                for row in rows.values()
            )
        client.logout()
        return found

    def fill(self):
        user = self.user()
        letters = [
            message(f"subject {n}", **{"Message-ID": f"<m{n}@x.test>"})
            for n in range(4)
        ]
        ways_in.deliver(self.daemon, user, *letters)
        client = self.client(user)
        client.create_folder("Lists/été")
        client.select_folder("INBOX")
        client.add_flags([1, 2], ["\\Flagged", "work"])
        client.copy([2, 3], "Lists/été")
        client.logout()
        return user

    def expunge(self, user, which="ALL"):
        client = self.client(user)
        client.select_folder("INBOX")
        client.delete_messages(client.search(which))
        client.expunge()
        client.logout()

    def test_an_account_comes_back_while_the_daemon_runs(self):
        user = self.fill()
        before = self.seen(user, "INBOX", "Lists/été")
        self.backup()
        self.expunge(user)
        ways_in.deliver(self.daemon, user, message("later"))
        self.assertIn("4 messages", self.restore(user))
        after = self.seen(user, "INBOX", "Lists/été")
        self.assertEqual(len(after["INBOX"]), 5)
        for folder, messages in before.items():
            for one in messages:
                self.assertIn(one, after[folder])
        again = self.restore(user)  # nothing comes twice
        self.assertIn(" 0 messages", again)
        self.expunge(user)  # and what goes once more comes once more
        self.assertIn("4 messages", self.restore(user))

    def test_a_message_or_a_folder_comes_back(self):
        user = self.fill()
        self.backup()
        self.expunge(user)
        told = self.restore(user, "--message-id", "m2@x.test", "--folder", "INBOX")
        self.assertIn("1 messages", told)
        ((octets, _, _),) = self.seen(user, "INBOX")["INBOX"]
        self.assertIn(b"subject 2", octets)
        self.restore(user, "--folder", "Lists/*", "--into", "Saved")
        self.assertEqual(len(self.seen(user, "Saved/Lists/été")["Saved/Lists/été"]), 2)

    def test_a_snapshot_is_chosen_kept_and_verified(self):
        user = self.fill()
        self.backup()
        self.expunge(user)
        self.backup()
        first, second = [
            line.partition(":")[0] for line in self.backup("--list").splitlines()
        ]
        self.assertIn(" 0 messages", self.restore(user))
        self.assertIn("4 messages", self.restore(user, "--snapshot", first))
        self.assertIn("2 snapshots are sound", self.backup("--verify"))
        self.backup("--keep", "1")
        self.assertEqual(len(self.backup("--list").splitlines()), 1)
        self.assertIn("1 snapshots are sound", self.backup("--verify"))
        self.assertTrue(second)

    def test_backups_under_load_lose_nothing_that_was_there(self):
        user = self.user()
        sender = subprocess.Popen(
            [sys.executable, "-c", _SENDER, str(self.daemon.port("smtp")), user]
        )
        self.addCleanup(sender.kill)
        for _ in range(3):
            client = self.client(user)
            if not client.folder_exists("Moved"):
                client.create_folder("Moved")
            client.select_folder("INBOX")
            uids = client.search("ALL")
            if uids:
                client.move(uids[: len(uids) // 2 + 1], "Moved")
            client.logout()
            seen = self.seen(user, "INBOX", "Moved")
            there = {one[0] for some in seen.values() for one in some}
            self.backup()
            told = self.restore(user, "--into", "Check", "--dry-run")
            self.assertGreaterEqual(int(told.split(": ")[1].split()[0]), len(there))
        sender.terminate()
        sender.wait()
        self.assertIn("3 snapshots are sound", self.backup("--verify"))


_SENDER = """
import smtplib, sys
client = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
for number in range(100000):
    client.sendmail("x@y.test", [sys.argv[2]], f"Subject: {number}\\r\\n\\r\\nx\\r\\n")
"""


class FromNothingTests(DaemonTestCase):
    def test_a_server_comes_back_from_nothing(self):
        user = self.user()
        ways_in.deliver(self.daemon, user, message("kept"))
        target = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, target, True)
        before = ways_in.messages(self.daemon, user)
        self.daemon.command("backup", str(target), "--keys")
        self.daemon.kill()
        shutil.rmtree(self.daemon.folder / "data")
        told = self.daemon.command("restore", str(target), "--all")
        self.assertIn("1 accounts are back", told)
        self.daemon.start()
        self.assertEqual(ways_in.messages(self.daemon, user), before)
        self.assertIn("agree", self.daemon.command("fsck", user))
