"""A Maildir that others use at the same time: what they do is told within a second."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.mail import PLAIN
from tests.imap4.member import Member
from tests.integration.daemon import DOMAIN, DaemonTestCase
from tests.integration.programs import message, run
from tests.integration.screen import Terminal
from tests.integration.test_many_sessions import Client

SOON_S = 1.0
MUTT = "set quit=yes\nset delete=yes\nset mark_old=no\nset sort=subject\n"


class TouchedMaildirTests(DaemonTestCase):
    extra = PLAIN

    def setUp(self) -> None:
        super().setUp()
        self.name = self.user()
        local_part = self.name.partition("@")[0]
        self.maildir = self.daemon.folder / f"data/mail/{DOMAIN}/{local_part}/Maildir"
        self.member = Member(Client(self.daemon.port("imap"), self.name))
        self.addCleanup(self.member.client.close)
        self.member.ask("ENABLE CONDSTORE")
        self.member.enter("INBOX", read_only=False)
        self.member.ask("SELECT INBOX")
        self.member.client.idle()
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()

    def told_soon(self, true: Callable[[], bool]) -> None:
        """The member, which idles, hears within a second what makes this true."""
        began = time.monotonic()
        for line in self.member.client.heard(true):
            self.member.hear(line)
        self.assertLess(time.monotonic() - began, SOON_S)

    def files(self) -> dict[str, Path]:
        """{subject: path}"""
        paths = [
            path for part in ("new", "cur") for path in (self.maildir / part).iterdir()
        ]
        found = {}
        for path in paths:
            subject = re.search(rb"^Subject: (\S+)", path.read_bytes(), re.M)
            self.assertIsNotNone(subject)
            found[subject[1].decode()] = path
        return found

    def procmail(self, subject: str) -> None:
        rc = self.home / "procmailrc"
        rc.write_text(f"MAILDIR={self.home}\nDEFAULT={self.maildir}/\nLOGFILE=log\n")
        run("procmail", "-m", rc, said=message(subject).replace(b"\r\n", b"\n"))

    def renamed(self, subject: str, letters: str) -> None:
        path = self.files()[subject]
        base = path.name.partition(":")[0]
        path.rename(self.maildir / "cur" / f"{base}:2,{letters}")

    def test_procmail_delivers_and_a_user_renames_and_removes(self) -> None:
        for number in range(1, 4):
            self.procmail(f"m{number}")
            self.told_soon(lambda n=number: len(self.member.uids) == n)
        self.renamed("m2", "FS")
        self.told_soon(lambda: bool(self.member.flags.get(2)))
        self.assertEqual(self.member.flags, {2: {"\\Flagged", "\\Seen"}})
        before = self.member.modseqs[2]
        self.renamed("m2", "S")
        self.told_soon(lambda: self.member.flags[2] == {"\\Seen"})
        self.assertGreater(self.member.modseqs[2], before)
        self.files()["m1"].unlink()
        self.told_soon(lambda: len(self.member.uids) == 2)
        for line in self.member.client.done():
            self.member.hear(line)
        self.member.ask("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        told = {told.uid: told.subject for told in self.member.fetched}
        self.assertEqual(told, {2: "m2", 3: "m3"})
        answer = self.member.ask(f"UID STORE 2 (UNCHANGEDSINCE {before}) FLAGS ()")
        self.assertIn(b"[MODIFIED 2]", answer)

    def test_mutt_reads_flags_and_deletes_in_the_same_folder(self) -> None:
        for number in range(1, 4):
            self.procmail(f"m{number}")
            self.told_soon(lambda n=number: len(self.member.uids) == n)
        (self.home / "muttrc").write_text(MUTT + f"set folder={self.home}\n")
        command = ("mutt", "-n", "-F", self.home / "muttrc", "-f", self.maildir)
        with Terminal(*command, env={"HOME": str(self.home)}, cwd=self.home) as mutt:
            mutt.wait_for("m1", "m2", "m3")
            mutt.keys("1\rF")
            mutt.keys("2\rd$")
            mutt.wait_for("2 kept, 1 deleted")
            self.told_soon(
                lambda: len(self.member.uids) == 2 and bool(self.member.flags.get(1))
            )
            for line in self.member.client.done():
                self.member.hear(line)
            self.member.ask("UID STORE 3 +FLAGS (\\Answered)")
            self.procmail("m4")
            mutt.keys("=")
            mutt.wait_for("m4")
            mutt.keys("q")
            self.assertEqual(mutt.wait_for_end(), 0)
        self.member.ask("NOOP")
        self.member.ask("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        told = {one.subject: (one.uid, one.flags) for one in self.member.fetched}
        self.assertEqual(
            {name: uid for name, (uid, _) in told.items()}, {"m1": 1, "m3": 3, "m4": 4}
        )
        self.assertIn("\\Flagged", told["m1"][1])
        self.assertIn("\\Answered", told["m3"][1])
