"""Mail goes into accounts and out of them while the daemon runs, as it is."""

import imaplib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.peers import Dovecot
from tests.integration import courier, ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run
from tests.integration.test_mbsync import Synced

FOLDERS = ("INBOX", "Sent", "Lists.python", "Entw&APw-rfe", "&U,BTFw-.&ZeVnLIqe-")
FLAGS = ("", "\\Seen", "\\Flagged work", "$Forwarded later", "\\Answered \\Draft")
DATE = '"%02d-Mar-2019 04:05:06 +0200"'


def by_imap(client, folders, delimiter="."):
    """{folder: (octets, flags, date) of each message} of an open imaplib client."""
    found = {}
    for folder in folders:
        name = folder.replace(".", delimiter)
        answer = client.select(f'"{name}"', readonly=True)
        assert answer[0] == "OK", (name, answer)  # noqa: S101 - a test's
        messages = []
        for item in client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
            if isinstance(item, tuple):
                flags = re.search(rb"FLAGS \(([^)]*)\)", item[0])[1].split()
                date = imaplib.Internaldate2tuple(item[0])
                kept = frozenset(flags) - {b"\\Recent"}
                messages.append((item[1], kept, date))
        found[folder] = messages
    return found


class Peer:
    """A Dovecot on the Maildir of "ann" in a folder of its own, and its doveadm."""

    def __init__(self, case):
        self.mail = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        case.addCleanup(shutil.rmtree, self.mail)
        self.mail.chmod(0o755)
        self.home = self.mail / "ann"
        self.home.mkdir()
        self.take()
        self.dovecot = Dovecot(self.mail, ["ann"])
        case.addCleanup(self.dovecot.stop)

    def take(self):
        """The files belong to Dovecot's user."""
        run("chown", "-R", "nobody:nogroup", self.home)

    def client(self):
        client = imaplib.IMAP4("127.0.0.1", self.dovecot.port, timeout=30)
        client.login("ann", PASSWORD)
        return client

    def fill(self, count=5):
        client = self.client()
        for at, folder in enumerate(FOLDERS):
            client.create(folder)
            client.subscribe(folder)
            for number in range(count):
                octets = message(subject=f"{folder} {number}", body="text\n" * at)
                client.append(
                    folder,
                    f"({FLAGS[number % len(FLAGS)]})",
                    DATE % (number % 28 + 1),
                    octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
                )
        client.logout()

    def held(self):
        client = self.client()
        found = by_imap(client, FOLDERS)
        client.logout()
        return found

    def fetched(self, folder):
        """doveadm's word on a folder: flags and octets of each message."""
        config = self.dovecot.folder / "dovecot.conf"
        done = subprocess.run(
            ["doveadm", "-c", config, "-f", "json", "fetch", "-u", "ann"]
            + ["flags text", "mailbox", folder],
            check=True,
            capture_output=True,
        )
        return [
            (one["text"], set(one["flags"].split()) - {"\\Recent"})
            for one in json.loads(done.stdout)
        ]


class DovecotTests(DaemonTestCase):
    def ours(self, user):
        _, client = ways_in.imap(self.daemon, user)
        found = by_imap(client, FOLDERS, "/")
        client.logout()
        return found

    def test_there_and_back_over_a_maildir(self):
        peer, user = Peer(self), self.user()
        peer.fill()
        theirs = peer.held()
        said = self.daemon.command("import", user, str(peer.home))
        self.assertIn("25 messages", said)
        self.assertEqual(self.ours(user), theirs)
        again = self.daemon.command("import", user, str(peer.home))
        self.assertIn(" 0 messages (0.0 MB) brought, 25 there already", again)

        back = Peer(self)
        self.daemon.command("export", user, str(back.home / "Maildir"))
        self.assertEqual(back.held(), theirs)
        for folder in FOLDERS:
            self.assertEqual(back.fetched(folder), peer.fetched(folder))
        subscribed = (back.home / "Maildir" / "subscriptions").read_text()
        self.assertLessEqual(set(FOLDERS), set(subscribed.split()))

    def test_what_mbsync_fetched_comes_in(self):
        user, other = self.user(), self.user()
        ways_in.deliver(
            self.daemon, user, *(message(subject=f"mail {n}") for n in range(4))
        )
        home = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, home)
        synced = Synced(self.daemon, user, home, "imaps", "IMAPS")
        synced.far.create_folder("Lists")
        synced.far.select_folder("INBOX")
        synced.far.add_flags([1, 2], ["\\Seen", "\\Flagged", "$Forwarded"])
        synced.far.copy([2, 3], "Lists")
        synced.far.unselect_folder()
        synced.sync()
        told = self.daemon.command("import", other, str(home / "Mail" / "INBOX"))
        self.assertIn("4 messages", told)
        _, client = ways_in.imap(self.daemon, user)
        wanted = by_imap(client, ["INBOX"])
        client.logout()
        _, client = ways_in.imap(self.daemon, other)
        found = by_imap(client, ["INBOX"])
        client.logout()
        without_marks = [
            (re.sub(rb"X-TUID: [^\r]*\r\n", b"", octets), flags)  # mbsync's own
            for octets, flags, _ in found["INBOX"]
        ]
        self.assertEqual(without_marks, [one[:2] for one in wanted["INBOX"]])

    def test_a_folder_is_read_with_the_rights_of_its_owner(self):
        """Root reads for a user no more than that user may."""
        user = self.user()
        home = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, home)
        maildir = home / "Maildir"
        for part in ("cur", "new", "tmp"):
            (maildir / part).mkdir(parents=True)
        (maildir / "cur" / "1.mine:2,S").write_bytes(message(subject="mine"))
        run("chown", "-R", "nobody:nogroup", home)
        secret = home / "secret"
        secret.write_bytes(message(subject="secret"))
        secret.chmod(0o600)
        (maildir / "cur" / "2.link:2,S").symlink_to(secret)
        (maildir / "cur" / "3.hard:2,S").hardlink_to(secret)
        done = subprocess.run(
            [sys.executable, "-m", "mailtwist.cli", "-c", self.daemon.config]
            + ["import", user, home],
            capture_output=True,
            text=True,
            env=self.daemon.environment(),
            timeout=60,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("Permission denied", done.stderr)
        self.assertIn("1 messages", done.stdout)
        (octets,) = ways_in.messages(self.daemon, user)
        self.assertIn(b"Subject: mine", octets)


# What it finds in file names; keywords it keeps in files that nobody else writes.
COURIERS_FLAGS = ("", "\\Seen", "\\Flagged \\Answered", "\\Draft", "\\Deleted")


class CourierTests(DaemonTestCase):
    def test_a_home_of_couriers_comes_in(self):
        user = self.user()
        home = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, home)
        courier.make(home / "Maildir")
        theirs = courier.client(home, user)
        theirs.create("INBOX.Lists")
        theirs.subscribe("INBOX.Lists")
        friend = self.user()
        theirs.setacl("INBOX.Lists", friend, "lrs")
        for number, flags in enumerate(FLAGS):
            octets = message(subject=f"mail {number}")
            theirs.append("INBOX", f"({flags})", DATE % (number + 1), octets)
            theirs.append("INBOX.Lists", f"({flags})", DATE % (number + 1), octets)
        wanted = by_imap(theirs, ["INBOX", "INBOX.Lists"])
        theirs.logout()
        told = self.daemon.command("import", user, str(home))
        self.assertIn("10 messages", told)
        _, client = ways_in.imap(self.daemon, user)
        found = by_imap(client, ["INBOX", "Lists"])
        subscribed = client.lsub()[1]
        client.logout()
        self.assertEqual(list(found.values()), list(wanted.values()))
        self.assertTrue(any(b"Lists" in line for line in subscribed if line))
        for reader in ways_in.imap(self.daemon, friend):
            with reader:
                shared = f'"Other Users/{user}/Lists"'
                self.assertEqual(reader.select(shared, readonly=True)[0], "OK")
                held = reader.myrights(shared)[1][0].split()[-1]
                self.assertEqual(held, b"lrs")

    def test_courier_reads_what_is_exported_as_it_was(self):
        user = self.user()
        home = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, home)
        _, client = ways_in.imap(self.daemon, user)
        client.create("Lists")
        for folder in ("INBOX", "Lists"):
            for number, flags in enumerate(COURIERS_FLAGS):
                octets = message(subject=f"mail {number}")
                client.append(folder, f"({flags})", DATE % (number + 1), octets)
        ours = by_imap(client, ["INBOX", "Lists"])
        client.logout()
        self.daemon.command("export", user, str(home / "Maildir"))
        theirs = courier.client(home, user)
        found = by_imap(theirs, ["INBOX", "INBOX.Lists"])
        theirs.logout()
        self.assertEqual(list(found.values()), list(ours.values()))

    def test_rights_of_a_home_of_couriers_that_is_taken_over_hold(self):
        user, friend, other = self.user(), self.user(), self.user()
        told = self.daemon.command("user", "list", "--json")
        (home,) = [Path(r["home"]) for r in json.loads(told) if r["name"] == user]
        home.mkdir(parents=True)
        courier.make(home / "Maildir")
        theirs = courier.client(home, user)
        theirs.create("INBOX.Work")
        theirs.setacl("INBOX.Work", friend, "lrswited")
        theirs.append("INBOX.Work", None, None, message("of courier"))
        theirs.logout()
        shared = f'"Other Users/{user}/Work"'
        for session in ways_in.imap(self.daemon, user):
            with session as owner:  # who is seen once tells what is shared
                owner.list()
                (_, rights) = owner.getacl("Work")
                self.assertIn(friend.encode(), rights[0])
        first, second = ways_in.imap(self.daemon, friend)
        self.addCleanup(second.shutdown)
        with first as reader:
            names = b"".join(reader.list()[1])
            self.assertIn(shared.encode(), names)
            self.assertEqual(reader.select(shared), ("OK", [b"1"]))
            self.assertEqual(reader.store("1", "+FLAGS", r"(\Deleted)")[0], "OK")
            self.assertEqual(reader.expunge(), ("OK", [b"1"]))
        for session in ways_in.imap(self.daemon, other):
            with session as stranger:
                self.assertEqual(stranger.select(shared)[0], "NO")
