"""A Maildir that others use at the same time: what they do is told within a second."""

from __future__ import annotations

import re
import smtplib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.mail import PLAIN
from tests.imap4.member import Member
from tests.integration.daemon import DOMAIN, DaemonTestCase, free_port
from tests.integration.postfix import Postfix
from tests.integration.programs import message, run
from tests.integration.screen import Terminal
from tests.integration.test_many_sessions import Client
from tests.integration.world import until

SOON_S = 1.0
MUTT = "set quit=yes\nset delete=yes\nset mark_old=no\nset sort=subject\n"


class TouchedMaildirTestCase(DaemonTestCase):
    extra = PLAIN

    def setUp(self) -> None:
        super().setUp()
        self.name = self.user()
        local_part = self.name.partition("@")[0]
        self.maildir = self.daemon.folder / f"data/mail/{DOMAIN}/{local_part}/Maildir"
        self.member = self.idling()
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()

    def idling(self) -> Member:
        """A client of the INBOX, in IDLE."""
        member = Member(Client(self.daemon.port("imap"), self.name))
        self.addCleanup(member.client.close)
        member.ask("ENABLE CONDSTORE")
        member.enter("INBOX", read_only=False)
        member.ask("SELECT INBOX")
        member.client.idle()
        return member

    def told_soon(self, true: Callable[[], bool], member: Member | None = None) -> None:
        """The member, which idles, hears within a second what makes this true."""
        began, member = time.monotonic(), member or self.member
        for line in member.client.heard(true):
            member.hear(line)
        self.assertLess(time.monotonic() - began, SOON_S)

    def subjects(self, member: Member) -> dict[int, str]:
        """{UID: subject} of all messages; the member idles no more."""
        for line in member.client.done():
            member.hear(line)
        member.ask("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return {told.uid: told.subject for told in member.fetched}

    def procmail(self, subject: str) -> None:
        """Deliver a message with that subject."""
        raise AssertionError("says each kind of mailbox")

    def used_by_mutt_too(self, place: Path) -> None:
        """procmail delivers, mutt flags and deletes, the member flags at the same time:
        m1, m3 and m4 stay."""
        for number in range(1, 4):
            self.procmail(f"m{number}")
            self.told_soon(lambda n=number: len(self.member.uids) == n)
        (self.home / "muttrc").write_text(MUTT + f"set folder={self.home}\n")
        command = ("mutt", "-n", "-F", self.home / "muttrc", "-f", place)
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
            self.member.ask("UID STORE 3 +FLAGS (\\Answered work)")
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
        self.assertIn("work", told["m3"][1])

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


class TouchedMaildirTests(TouchedMaildirTestCase):
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
        self.assertEqual(self.subjects(self.member), {2: "m2", 3: "m3"})
        answer = self.member.ask(f"UID STORE 2 (UNCHANGEDSINCE {before}) FLAGS ()")
        self.assertIn(b"[MODIFIED 2]", answer)

    def test_mutt_reads_flags_and_deletes_in_the_same_folder(self) -> None:
        self.used_by_mutt_too(self.maildir)


class PostfixTests(TouchedMaildirTestCase):
    """Postfix delivers into the same Maildir, as a user of its own."""

    def setUp(self) -> None:
        super().setUp()
        local_part = self.name.partition("@")[0]
        main = f"""
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {self.maildir.parent}
virtual_mailbox_maps = inline:{{ {{{self.name}=Maildir/}} }}
mydestination = local.test
alias_maps = inline:{{ {{{local_part}={self.maildir}/}} }}
"""
        self.postfix = Postfix("mx.p.test", "127.0.0.1", free_port(), main=main)
        self.addCleanup(self.postfix.stop)
        for folder in (self.maildir, *self.maildir.parents):
            if self.daemon.folder in (folder, *folder.parents):
                folder.chmod(0o755)
        run("chown", "-R", "nobody", self.maildir)
        self.postfix.start()
        self.recipients = (self.name, f"{local_part}@local.test")

    def send(self, *subjects: str) -> None:
        """In turns to Postfix's virtual and local."""
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=30) as client:
            for number, subject in enumerate(subjects):
                recipient = self.recipients[number % 2]
                client.sendmail("", recipient, message(subject, to=recipient))

    def delivered(self, messages: int) -> None:
        """Wait for Postfix."""

        def here() -> int:
            # A file that moves meanwhile is missed, and not counted twice.
            cur = len(list((self.maildir / "cur").iterdir()))
            return cur + len(list((self.maildir / "new").iterdir()))

        until(lambda: here() >= messages, lambda: f"{here()} of {messages}")

    def test_postfix_delivers_while_sessions_idle(self) -> None:
        other = self.idling()
        for number in range(1, 11):
            self.recipients = self.recipients[::-1]
            self.send(f"m{number}")
            self.delivered(number)
            for member in (self.member, other):
                self.told_soon(lambda n=number, m=member: len(m.uids) == n, member)
        expected = {number: f"m{number}" for number in range(1, 11)}
        for member in (self.member, other):
            self.assertEqual(self.subjects(member), expected)
        self.assertEqual(len(self.files()), 10)

    def test_what_postfix_delivers_around_a_crash_is_shown_once(self) -> None:
        told: dict[int, str] = {}
        sent: list[str] = []
        for life in range(4):
            subjects = [f"m{life}-{number}" for number in range(30)]
            sending = threading.Thread(target=self.send, args=subjects)
            sending.start()
            some, everything = len(sent) + 3 + 5 * life, len(sent) + len(subjects)
            for line in self.member.client.heard(
                lambda n=some: len(self.member.uids) >= n
            ):
                self.member.hear(line)
            told_before = self.subjects(self.member)
            self.daemon.kill()
            sending.join()
            sent += subjects
            self.daemon.start()
            self.assertEqual(told_before, {**told_before, **told})
            self.member = self.idling()
            self.delivered(everything)
            self.told_soon(lambda n=everything: len(self.member.uids) >= n)
            told = self.subjects(self.member)
            self.assertEqual(told, {**told, **told_before})
            self.assertEqual(sorted(told.values()), sorted(sent))
            self.daemon.sound()
            self.member = self.idling()
