"""Mailboxes of tables with owners of their own: the same maps for Postfix and us."""

import mailbox
import os
import smtplib
import stat
import time

from twisted.trial.unittest import SynchronousTestCase

from .daemon import Daemon, free_port
from .postfix import Postfix
from .programs import message
from .users import Users

BOXES = """\
ann@a.test a.test/ann/
box@a.test a.test/box
bob@b.test b.test/bob/
root@a.test a.test/root/
"""
SENDER = "zoe@far.test"
SOON_S = 20.0


class VirtualMailboxTests(SynchronousTestCase):
    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "only root can make users")
        self.users = Users()
        self.addCleanup(self.users.remove)
        self.first, self.second = self.users.add(), self.users.add()
        self.maps = self.users.folder
        (self.maps / "boxes").write_text(BOXES)
        one, two = self.first, self.second
        for name, number, other in [
            ("uids", one.uid, two.uid),
            ("gids", one.gid, two.gid),
        ]:
            (self.maps / name).write_text(
                f"root@a.test 7\n@a.test {number}\nbob@b.test {other}\n"
            )

    def base(self, name):
        """A base folder, with a folder of each domain's user in it."""
        base = self.users.folder / name
        base.mkdir(0o755)
        for user, domain in ((self.first, "a.test"), (self.second, "b.test")):
            (base / domain).mkdir(0o700)
            user.give(base / domain)
        return base

    def start_postfix(self, base):
        port = free_port()
        maps = self.maps
        postfix = Postfix(
            "mx.p.test",
            "127.0.0.1",
            port,
            main=f"""
virtual_mailbox_domains = a.test, b.test
virtual_mailbox_base = {base}
virtual_mailbox_maps = texthash:{maps}/boxes
virtual_uid_maps = texthash:{maps}/uids
virtual_gid_maps = texthash:{maps}/gids
""",
        )
        self.addCleanup(postfix.stop)
        postfix.start()
        return port

    def start_ours(self, base):
        kinds = "".join(
            f'[[table]]\nname = "{name}"\nkind = "file"\n'
            f'source = "{self.maps}/{name}"\n'
            for name in ("boxes", "uids", "gids")
        )
        daemon = Daemon(
            f"""
{kinds}
[[table]]
name = "domains"
kind = "inline"
entries = ["a.test x", "b.test x"]
[mailboxes]
tables = ["boxes"]
domains = ["domains"]
folder = "{base}"
uids = ["uids"]
gids = ["gids"]
"""
        )
        self.addCleanup(daemon.remove)
        daemon.folder.chmod(0o711)  # the owners' processes have folders of theirs in it
        daemon.start()
        return daemon

    def send(self, port, recipient, subject="x"):
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail(SENDER, [recipient], message(subject))

    def soon(self, look):
        end = time.monotonic() + SOON_S
        while time.monotonic() < end:
            if found := look():
                return found
            Daemon.pause()
        raise AssertionError("it did not come to pass")

    def seen(self, base):
        """Path, owner, group and Subject of all that was delivered."""
        found = set()
        for folder in ("a.test/ann/new", "b.test/bob/new"):
            for path in (base / folder).glob("*"):
                status = path.stat()
                text = path.read_text()
                found.add((folder, status.st_uid, status.st_gid, "Subject: x" in text))
        box = base / "a.test/box"
        if box.exists():
            status = box.stat()
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
            for one in mailbox.mbox(box, create=False):
                row = "a.test/box", status.st_uid, status.st_gid, one["Subject"] == "x"
                found.add(row)
        return found

    def test_they_lie_where_postfix_puts_them_and_belong_to_the_same(self):
        one, two = self.first, self.second
        wanted = {
            ("a.test/ann/new", one.uid, one.gid, True),
            ("a.test/box", one.uid, one.gid, True),
            ("b.test/bob/new", two.uid, two.gid, True),
        }
        theirs, ours = self.base("theirs"), self.base("ours")
        daemon = self.start_ours(ours)
        for base, port in (
            (theirs, self.start_postfix(theirs)),
            (ours, daemon.port("smtp")),
        ):
            for recipient in ("ann@a.test", "box@a.test", "bob@b.test"):
                self.send(port, recipient)
            self.soon(lambda base=base: len(self.seen(base)) == len(wanted))
            self.assertEqual(self.seen(base), wanted)
        self.send(daemon.port("smtp"), "BOX@a.test")
        box = ours / "a.test/box"
        self.soon(lambda: len(mailbox.mbox(box, create=False)) == 2)
        self.assertFalse((ours / "a.test/box.lock").exists())
        # A uid below the least: nothing is lost, and nothing is written.
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
            self.send(daemon.port("smtp"), "root@a.test")
        ((code, _),) = caught.exception.recipients.values()
        self.assertEqual(code, 451)
        self.assertFalse((ours / "a.test/root").exists())
        self.assertIn("has the uid 7: expected 100", daemon.log.read_text())
