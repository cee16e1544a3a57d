"""Tests for mailtwist.carry.mbox: mboxes as an end."""

import mailbox
import os
import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.carry.mbox import MboxEnd
from mailtwist.carry.model import Folder, Letter
from mailtwist.errors import MailError
from mailtwist.mailbox.model import INBOX
from tests.store import traced

ONE = b"Subject: one\r\n\r\nFrom here\r\n"
TWO = b"Subject: two\r\n\r\nsecond\r\n"
LATER = b"\r\nlater\r\n"


class MboxEndTests(SynchronousTestCase):
    def setUp(self):
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, self.root)
        self.end = MboxEnd(str(self.root))

    def fill(self, path=INBOX, *letters):
        self.end.make(Folder(path))
        return self.end.add(path, letters or [Letter(ONE, frozenset(), 1000)])

    def test_other_programs_read_what_is_written(self):
        self.fill(INBOX, Letter(ONE, frozenset({"\\Seen", "\\Flagged"}), 86400))
        (message,) = mailbox.mbox(self.root / "INBOX")
        self.assertEqual(message["Subject"], "one")
        self.assertEqual(set(message.get_flags()), set("ROF"))
        self.assertIn("1970", message.get_from())

    def test_a_mailbox_may_have_messages_and_others_below_it(self):
        self.fill(("A/b",))
        self.fill(("A/b", "c"))
        names = sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*"))
        self.assertEqual(names, ["A%2Fb", "A%2Fb.sbd", "A%2Fb.sbd/c"])
        paths = [one.path for one in MboxEnd(str(self.root)).folders()]
        self.assertEqual(paths, [("A/b",), ("A/b", "c")])

    def test_a_single_file_is_inbox(self):
        self.fill()
        end = MboxEnd(str(self.root / "INBOX"))
        self.assertEqual([one.path for one in end.folders()], [INBOX])
        self.assertEqual(len(end.listed(INBOX).items), 1)
        self.assertRaises(MailError, end.make, Folder(("Sent",)))

    def killed(self, work):
        """What is there after a kill at each system call of `work`, and another
        program's mail behind it."""
        self.fill(INBOX, Letter(ONE, frozenset(), 1), Letter(TWO, frozenset(), 2))
        file, found = self.root / "INBOX", set()
        before = file.read_bytes()
        for number in range(1, 100):
            file.write_bytes(before)
            _, call = traced.killed_at(number, lambda tell: work())
            with file.open("ab") as behind:
                behind.write(b"From x Thu Jan  1 00:00:00 1970\n\nlater\n\n")
            end = MboxEnd(str(self.root))
            keys = [item.key for item in end.listed(INBOX).items]
            found.add(tuple(end.read(INBOX, keys)))
            end.add(INBOX, [Letter(ONE, frozenset(), 4)])
            self.assertEqual(os.listdir(self.root), ["INBOX"], call)
            if call is None:
                break
        self.assertIsNone(call)
        return found

    def test_a_kill_while_messages_are_added_leaves_all_or_none(self):
        letter = Letter(b"Subject: three\r\n\r\n", frozenset(), 3)
        found = self.killed(lambda: self.end.add(INBOX, [letter, letter]))
        new = (ONE, TWO, letter.octets, letter.octets, LATER)
        self.assertEqual(found, {(ONE, TWO, LATER), new})

    def test_a_kill_while_messages_are_removed_leaves_all_or_none(self):
        def remove():
            end = MboxEnd(str(self.root))
            end.remove(INBOX, [end.listed(INBOX).items[0].key])

        self.assertEqual(self.killed(remove), {(ONE, TWO, LATER), (TWO, LATER)})

    def test_the_file_stays_the_same_one(self):
        """Who waits for its lock has it open."""
        (one,) = self.fill()
        before = os.stat(self.root / "INBOX").st_ino
        self.end.remove(INBOX, [one])
        self.assertEqual(os.stat(self.root / "INBOX").st_ino, before)
        self.assertEqual(os.stat(self.root / "INBOX").st_size, 0)

    def test_what_moved_within_the_file_is_found(self):
        one, two = self.fill(
            INBOX, Letter(ONE, frozenset(), 1), Letter(b"two\r\n", frozenset(), 2)
        )
        self.end.listed(INBOX)
        MboxEnd(str(self.root)).remove(INBOX, [one])
        self.assertEqual(self.end.read(INBOX, [one, two]), [None, b"two\r\n"])
