"""An mbox that others use at the same time: what they do is told within a second."""

from __future__ import annotations

import mailbox
import smtplib
import threading

from imapclient import IMAPClient

from tests.integration.programs import message, run
from tests.integration.test_touched_maildir import TouchedMaildirTestCase
from tests.integration.ways_in import deliver, imapclient, messages, pop3_login

MESSAGE = b"Subject: hello\r\n\r\nfirst line\r\n"


class TouchedMboxTests(TouchedMaildirTestCase):
    def user(self, *options: str) -> str:
        return super().user("--mailbox", "mbox:~/mail:INBOX=spool", *options)

    def setUp(self) -> None:
        super().setUp()
        self.box = self.maildir.parent / "spool"
        self.untold: set[str] = set()
        self.count = 0

    def procmail(self, subject: str) -> None:
        rc = self.home / "procmailrc"
        rc.write_text(f"MAILDIR={self.home}\nDEFAULT={self.box}\nLOGFILE=log\n")
        run(
            "procmail",
            "-f",
            "carol",
            "-m",
            rc,
            said=message(subject).replace(b"\r\n", b"\n"),
        )

    def test_procmail_and_mutt_use_the_same_file(self) -> None:
        self.used_by_mutt_too(self.box)
        box = mailbox.mbox(self.box, create=False)
        self.assertEqual([one["Subject"] for one in box], ["m1", "m3", "m4"])
        box.close()

    def test_what_smtp_brought_pop3_and_imap_read_octet_by_octet(self) -> None:
        odd = b"Subject: odd\r\nStatus: RO\r\n\r\nFrom here\r\n>From there\r\n"
        deliver(self.daemon, self.name, MESSAGE, odd, odd)
        found = messages(self.daemon, self.name)
        for octets, letter in zip(found, [MESSAGE, odd, odd], strict=True):
            self.assertTrue(octets.endswith(letter), octets)
        client = pop3_login(self.daemon, self.name)
        client.dele(1)
        client.quit()
        self.assertEqual(len(messages(self.daemon, self.name)), 2)
        for client in imapclient(self.daemon, self.name):
            client.select_folder("INBOX")
            fetched = client.fetch([1, 2], ["BODY[]", "RFC822.SIZE"])
            for row in fetched.values():
                self.assertTrue(row[b"BODY[]"].endswith(odd))
                self.assertEqual(row[b"RFC822.SIZE"], len(row[b"BODY[]"]))
            client.logout()

    def test_a_daemon_that_is_killed_again_and_again_loses_nothing(self) -> None:
        taken: list[str] = []
        theirs: list[str] = []
        told: dict[str, int] = {}
        for life in range(4):
            enough = len(taken) + 4 + 5 * life
            sending = threading.Thread(target=self.send, args=(life, taken))
            sending.start()
            client = imapclient(self.daemon, self.name)[0]
            client.select_folder("INBOX")
            number = 0
            while len(taken) < enough:
                number += 1
                self.procmail(f"theirs-{life}-{number}")
                theirs.append(f"theirs-{life}-{number}")
                client.noop()
                client.add_flags([1, 2, 3, 4], [b"\\Seen", b"work%d" % number])
                client.remove_flags([2, 3], [b"\\Seen"])
            self.daemon.kill()
            sending.join()
            self.daemon.start()
            client = imapclient(self.daemon, self.name)[0]
            client.select_folder("INBOX")
            subjects = self.subjects_of(client)
            self.assertEqual(set(taken) | set(theirs), set(subjects) - self.untold)
            self.assertEqual({name: subjects[name] for name in told}, told)
            told = subjects
            client.logout()
        box = mailbox.mbox(self.box, create=False)
        self.assertEqual(len(box), self.count)
        names = [one["Subject"] for one in box]
        for name in theirs:
            self.assertEqual(names.count(name), 1)
        box.close()
        left = [path.name for path in self.box.parent.glob("*.journal")]
        self.assertEqual(left, [])
        self.daemon.sound()

    def send(self, life: int, taken: list[str]) -> None:
        """Until the server is gone; what it was not heard to take may be there."""
        for number in range(10_000):
            subject = f"m{life}-{number}"
            self.untold.add(subject)
            try:
                deliver(self.daemon, self.name, message(subject))
            except (OSError, smtplib.SMTPException):
                return
            self.untold.discard(subject)
            taken.append(subject)

    def subjects_of(self, client: IMAPClient) -> dict[str, int]:
        """{subject: UID}"""
        wanted = "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"
        fetched = client.fetch(client.search("ALL"), [wanted])
        self.count = len(fetched)
        return {
            row[b"BODY[HEADER.FIELDS (SUBJECT)]"].split()[1].decode(): uid
            for uid, row in fetched.items()
        }
