"""Aliases, forwarding, mailboxes of tables and commands, through a running daemon."""

import atexit
import re
import shutil
import smtplib
import tempfile
import time
from pathlib import Path

from .daemon import DaemonTestCase, free_port
from .programs import message
from .smtp_peer import Script, SmtpPeer

OPEN = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))  # a command's user gets here
OPEN.chmod(0o777)
atexit.register(shutil.rmtree, OPEN)
PEER_PORT = free_port()
EXTRA = f"""
[[domain]]
name = "names.test"
accounts = false
alias_files = false
[[domain]]
name = "other.test"
alias_of = "example.test"
[alias]
files = ["aliases"]
virtual = ["virtual"]
commands = true
[[table]]
name = "virtual"
kind = "file"
source = "virtual"
[[table]]
name = "boxes"
kind = "inline"
entries = ["eve@tables.test tables.test/eve/"]
[[table]]
name = "domains"
kind = "inline"
entries = ["tables.test x"]
[mailboxes]
tables = ["boxes"]
domains = ["domains"]
folder = "vmail"
[[table]]
name = "backup"
kind = "inline"
entries = ["known@backup.test x"]
[[relay_domain]]
name = "backup.test"
recipients = ["backup"]
[[route]]
match = "gone.test"
action = "error:5.1.6 Moved away"
[[route]]
action = "smtp:[127.0.0.1]:{PEER_PORT}"
[queue]
first_retry_s = 1
"""
SENDER = "zoe@far.test"
SOON_S = 20.0


class RoutingTests(DaemonTestCase):
    extra = EXTRA
    peer = None

    def setUp(self):
        super().setUp()
        if RoutingTests.peer is None:  # one, as connections to it are kept
            RoutingTests.peer = SmtpPeer("peer.test", "127.0.0.1", PEER_PORT, Script())
            atexit.register(self.peer.stop)
        self.peer.script.messages.clear()
        self.peer.script.lines.clear()
        for path in OPEN.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.write("aliases", "nothing: nobody\n")
        self.write("virtual", "")

    def write(self, name, text):
        (self.daemon.folder / name).write_text(text)
        self.let_it_look()

    def let_it_look(self):
        """A table is looked at four times a second."""
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            self.daemon.pause()

    def send(self, *recipients, sender=SENDER, subject="x"):
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            return client.sendmail(sender, recipients, message(subject))

    def refusal(self, recipient, sender=SENDER):
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
            self.send(recipient, sender=sender)
        return caught.exception.recipients[recipient]

    def soon(self, look):
        """What `look` gives as soon as it gives something."""
        end = time.monotonic() + SOON_S
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            self.daemon.pause()
        raise AssertionError(self.daemon.log.read_text()[-3000:])

    def new(self, folder):
        """The messages in a Maildir."""
        found = folder / "new"
        return [p.read_text() for p in found.iterdir()] if found.is_dir() else []

    def mailbox(self, user):
        local_part, _, domain = user.partition("@")
        return self.daemon.folder / "data" / "mail" / domain / local_part

    def test_an_alias_reaches_everything_it_names(self):
        ann, bob = self.user(), self.user()
        program = OPEN / "program"
        program.write_text(
            f'#!/bin/sh\ncat > {OPEN}/got; echo "$RECIPIENT" > {OPEN}/who\n'
        )
        program.chmod(0o755)
        (self.daemon.folder / "staff").write_text(f"# staff\n{bob}\n")
        self.write(
            "aliases",
            f"all: {ann.partition('@')[0]}, |{program},\n"
            f'  "{OPEN}/mbox", {OPEN}/Maildir/, :include:{self.daemon.folder}/staff,\n'
            "  far@else.test\n"
            "owner-all: postmaster\n",
        )
        self.send("all@example.test")
        for user in (ann, bob):
            (text,) = self.soon(lambda u=user: self.new(self.mailbox(u) / "Maildir"))
            self.assertIn("Return-Path: <owner-all@example.test>", text)
        got = self.soon(lambda: (OPEN / "who").exists() and (OPEN / "got").read_text())
        self.assertTrue(got.startswith("From owner-all@example.test  "))
        self.assertIn("\nSubject: x\n", got)
        self.assertEqual((OPEN / "who").read_text(), "all@example.test\n")
        mbox = self.soon(
            lambda: (OPEN / "mbox").exists() and (OPEN / "mbox").read_text()
        )
        self.assertTrue(mbox.endswith("\n\n"))
        self.soon(lambda: self.new(OPEN / "Maildir"))
        self.soon(lambda: self.peer.script.messages)
        self.assertEqual(self.mail_from(), "owner-all@example.test")

    def mail_from(self):
        (line,) = [
            one for one in map(str, self.peer.script.lines) if "MAIL FROM" in one
        ]
        return re.search("<(.*?)>", line)[1]

    def test_a_forward_keeps_a_copy_and_its_bounce_finds_the_sender(self):
        ann = self.user()
        home = self.mailbox(ann)
        home.mkdir(parents=True, exist_ok=True)
        (home / ".forward").write_text(f"\\{ann.partition('@')[0]}, far@else.test\n")
        self.send(ann)
        self.soon(lambda: self.new(home / "Maildir"))
        self.soon(lambda: self.peer.script.messages)
        rewritten = self.mail_from()
        self.assertRegex(rewritten, r"^SRS0=\w{6}=\w\w=far\.test=zoe@example\.test$")
        self.peer.script.messages.clear()
        self.send(rewritten, sender="")
        self.soon(lambda: self.peer.script.messages)
        ((recipients, _),) = self.peer.script.messages
        self.assertIn(SENDER, str(recipients))
        forged = rewritten.replace("zoe", "eve")
        self.assertEqual(self.refusal(forged, sender="")[0], 550)

    def test_a_mailbox_of_a_table_is_a_maildir_below_its_folder(self):
        self.send("eve@tables.test", "Eve+x@tables.test")
        folder = self.daemon.folder / "vmail" / "tables.test" / "eve"
        self.assertEqual(len(self.new(folder)), 2)
        code, text = self.refusal("nobody@tables.test")
        self.assertEqual((code, text[:5]), (550, b"5.1.1"))

    def test_details_domain_aliases_and_catch_alls_lead_to_the_mailbox(self):
        ann = self.user()
        local_part = ann.partition("@")[0]
        self.write("virtual", f"@names.test {ann}\n")
        for count, recipient in enumerate(
            (
                f"{local_part}+list@example.test",
                f"{local_part}@other.test",
                f"{local_part}+list@Other.Test",
                "whoever@names.test",
            ),
            1,
        ):
            self.send(recipient)
            got = self.new(self.mailbox(ann) / "Maildir")
            self.assertEqual(len(got), count, recipient)
        self.assertEqual(self.refusal("nobody@other.test")[0], 550)

    def test_a_relay_domain_takes_only_whom_it_knows(self):
        self.send("known@backup.test")
        self.soon(lambda: self.peer.script.messages)
        self.assertEqual(self.mail_from(), SENDER)  # relayed, not forwarded
        code, text = self.refusal("unknown@backup.test")
        self.assertEqual((code, text[:5]), (550, b"5.1.1"))

    def test_refusals_say_why(self):
        self.write("aliases", "ring: ring2\nring2: ring\nmoved: x@gone.test\n")
        for recipient, status in [
            ("ring@example.test", b"5.4.6"),
            ("moved@example.test", b"5.1.6"),
            ("nobody@names.test", b"5.1.1"),
            ("x@far.test", b"5.7.1"),
        ]:
            code, text = self.refusal(recipient)
            self.assertEqual((code // 100, text[:5]), (5, status), recipient)

    def test_a_table_that_changes_or_goes_away_is_seen_at_once(self):
        ann = self.user()
        self.assertEqual(self.refusal("new@names.test")[0], 550)
        self.write("virtual", f"new@names.test {ann}\n")
        self.send("new@names.test")
        self.assertEqual(len(self.new(self.mailbox(ann) / "Maildir")), 1)
        (self.daemon.folder / "virtual").unlink()
        self.let_it_look()
        code, text = self.refusal("new@names.test")
        self.assertEqual((code // 100, text[:5]), (4, b"4.3.0"))

    def test_the_route_command_tells_the_same(self):
        self.write("virtual", "new@names.test far@else.test\n")
        told = self.daemon.command("route", "--no-dns", "new@names.test")
        self.assertIn(f"= far@else.test by smtp to [127.0.0.1]:{PEER_PORT}", told)
