"""Pushes of the running daemon: NOTIFY and CONTEXT, whoever changes the mail."""

import imaplib
import os
import ssl
import subprocess
import sys
import time

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message

ALL = "MessageNew MessageExpunge FlagChange"
PUSH_S = 10.0  # far above what it takes, for slow machines


OTHER = """
import sys
from twisted.internet import reactor, task
from twisted.internet.defer import Deferred
from mailtwist.config.model import Config
from mailtwist.directory.model import Account
from mailtwist.store.maildir.store import MaildirStore

async def work():
    store = MaildirStore(reactor=reactor, config=Config(), hostname="other.test")
    tree = store.mailboxes(Account(sys.argv[1], sys.argv[2]))
    upload = tree.upload()
    upload.write(b"Subject: by another process\\r\\n\\r\\n")
    await tree.append(("There",), [(upload, frozenset({"work"}), None)])
    await tree.subscribe(("There",))
    await tree.rename(("There",), ("Away",))
    await store.close()

task.react(lambda reactor: Deferred.fromCoroutine(work()))
"""  # another process of ours on the same account
ANNOTATES = (
    OTHER.partition("    upload =")[0]
    + """
    await tree.set_metadata((), [("/private/comment", b"changed")], 10)
    await tree.set_metadata(("There",), [("/shared/comment", None)], 10)
    await store.close()
"""
    + OTHER[OTHER.index("\ntask.react") :]
)


class NotifyTests(DaemonTestCase):
    workers = 2

    def client(self, user):
        client = imaplib.IMAP4_SSL(
            self.daemon.address,
            self.daemon.port("imaps"),
            ssl_context=ssl._create_unverified_context(),
            timeout=PUSH_S,
        )
        self.addCleanup(client.sock.close)
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{PASSWORD}".encode())
        return client

    def ask(self, client, command):
        """The lines of an answer; its tagged one is OK."""
        client.send(f"x {command}\r\n".encode())
        lines = []
        while not lines or not lines[-1].startswith(b"x "):
            lines.append(client.readline().rstrip(b"\r\n"))
        self.assertTrue(lines[-1].startswith(b"x OK"), lines)
        return lines[:-1]

    def pushed(self, client, wanted):
        """The lines until one begins with `wanted`."""
        lines = []
        while not lines or not lines[-1].startswith(wanted):
            line = client.readline()
            self.assertTrue(line, f"{wanted!r} did not come behind {lines!r}")
            lines.append(line.rstrip(b"\r\n"))
        return lines

    def maildir(self, user):
        name = user.partition("@")[0]
        (found,) = self.daemon.folder.glob(f"data/**/{name}/Maildir")
        return found

    def test_what_another_program_does_in_any_mailbox(self):
        user = self.user()
        client = self.client(user)
        self.ask(client, "CREATE Lists/py")
        self.ask(client, f"NOTIFY SET (personal ({ALL} MailboxName))")
        maildir = self.maildir(user)
        (maildir / "tmp/m").write_bytes(message("hello"))
        began = time.monotonic()
        os.rename(maildir / "tmp/m", maildir / ".Lists.py/new/1700000001.M1P1.x")
        (line,) = self.pushed(client, b"* STATUS ")
        self.assertTrue(line.startswith(b"* STATUS Lists/py (MESSAGES 1 "), line)
        self.assertLess(time.monotonic() - began, 5.0)
        (name,) = os.listdir(maildir / ".Lists.py/cur")
        os.rename(
            maildir / ".Lists.py/cur" / name,
            maildir / ".Lists.py/cur" / (name.partition(":")[0] + ":2,S"),
        )
        (line,) = self.pushed(client, b"* STATUS ")
        self.assertTrue(line.startswith(b"* STATUS Lists/py (UNSEEN 0 "), line)
        for part in ("cur", "new", "tmp"):
            os.makedirs(maildir / ".Made" / part)
        self.assertEqual(
            self.pushed(client, b"* LIST ")[-1],
            b'* LIST (\\HasNoChildren) "/" Made',
        )

    def another_process(self, program, user):
        """Run a program with the account and its home as arguments."""
        done = subprocess.run(
            [sys.executable, "-c", program, user, str(self.maildir(user).parent)],
            env=self.daemon.environment(),
            capture_output=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_another_process_of_the_store_does(self):
        user = self.user()
        client = self.client(user)
        self.ask(client, "CREATE There")
        self.ask(
            client, f"NOTIFY SET (personal ({ALL} MailboxName SubscriptionChange))"
        )
        self.another_process(OTHER, user)
        told = self.pushed(client, b"* LIST ")
        while not any(b'"OLDNAME" (There)' in line for line in told):
            told += self.pushed(client, b"* LIST ")
        self.ask(client, "SELECT Away")
        (line,) = self.ask(client, "FETCH 1 FLAGS")
        self.assertEqual(line, b"* 1 FETCH (FLAGS (\\Recent work))")

    def test_annotations_that_others_change(self):
        user = self.user()
        client, other = self.client(user), self.client(user)
        self.ask(client, "CREATE There")
        self.ask(
            client, "NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))"
        )
        self.ask(other, 'SETMETADATA There (/shared/comment "by a session")')
        self.assertEqual(
            self.pushed(client, b"* METADATA"), [b"* METADATA There /shared/comment"]
        )
        self.ask(client, 'SETMETADATA "" (/private/comment "its own")')
        self.ask(other, 'SETMETADATA "" (/private/vendor/x/y "a")')
        self.assertEqual(
            self.pushed(client, b"* METADATA"), [b'* METADATA "" /private/vendor/x/y']
        )
        self.another_process(ANNOTATES, user)
        told = self.pushed(client, b"* METADATA There")
        if len(told) == 1:
            told += self.pushed(client, b"* METADATA")
        self.assertEqual(
            sorted(told),
            [b'* METADATA "" /private/comment', b"* METADATA There /shared/comment"],
        )

    def test_mail_that_comes_is_pushed_with_what_was_asked_of_it(self):
        user = self.user()
        client = self.client(user)
        self.ask(client, "SELECT INBOX")
        self.ask(
            client,
            "NOTIFY SET (selected (MessageNew (UID"
            " BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))",
        )
        ways_in.deliver(self.daemon, user, message("first"))
        lines = self.pushed(client, b")")
        self.assertEqual(lines[0], b"* 1 EXISTS")
        self.assertTrue(
            any(line.startswith(b"* 1 FETCH (UID 1 BODY[HEAD") for line in lines), lines
        )
        self.assertIn(b"Subject: first", lines)
        other = self.client(user)
        self.ask(other, "SELECT INBOX")
        self.ask(other, "STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.pushed(client, b"* 1 FETCH (UID 1 FLAGS (\\Deleted")
        self.ask(other, "EXPUNGE")
        self.assertEqual(self.pushed(client, b"* 1 EXPUNGE")[-1], b"* 1 EXPUNGE")

    def test_a_search_is_kept_up_to_date_while_idle(self):
        user = self.user()
        client, other = self.client(user), self.client(user)
        for subject in ("b", "d"):
            ways_in.deliver(self.daemon, user, message(subject))
        self.ask(client, "SELECT INBOX")
        found = self.ask(
            client, "UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED"
        )
        self.assertEqual(found, [b'* ESEARCH (TAG "x") UID ALL 1:2'])
        client.send(b"i IDLE\r\n")
        self.assertTrue(client.readline().startswith(b"+"))
        ways_in.deliver(self.daemon, user, message("c"))
        self.assertEqual(
            self.pushed(client, b"* ESEARCH")[-1],
            b'* ESEARCH (TAG "x") UID ADDTO (2 3)',
        )
        self.ask(other, "SELECT INBOX")
        self.ask(other, "UID STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.assertEqual(
            self.pushed(client, b"* ESEARCH")[-1],
            b'* ESEARCH (TAG "x") UID REMOVEFROM (1 1)',
        )

    def test_a_client_that_goes_in_the_middle_leaves_others_told(self):
        user = self.user()
        for command in (b"NOTIFY SET STATUS (personal", b"NOTIFY SET (personal NONE)"):
            gone = self.client(user)
            gone.send(b"x " + command + b" (" + ALL.encode())
            gone.shutdown()
        client = self.client(user)
        self.ask(client, f"NOTIFY SET (personal ({ALL}))")
        ways_in.deliver(self.daemon, user, message("first"))
        self.pushed(client, b"* STATUS INBOX (MESSAGES 1 ")
