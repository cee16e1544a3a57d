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

ONE = b"Subject: one\r\n\r\nFrom here\r\n"


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

    def test_what_a_kill_left_half_written_is_taken_back(self):
        """The note says how long the file was."""
        self.fill()
        file = self.root / "INBOX"
        whole = file.read_bytes()
        (self.root / ".INBOX.mailtwist").write_text(f"{len(whole)}\n")
        file.write_bytes(whole + b"From x Thu Jan  1 00:00:00 1970\nSubj")
        self.fill(INBOX, Letter(b"Subject: two\r\n\r\n", frozenset(), 1))
        self.assertTrue(file.read_bytes().startswith(whole))
        octets = self.end.read(
            INBOX, [item.key for item in self.end.listed(INBOX).items]
        )
        self.assertEqual(octets, [ONE, b"Subject: two\r\n\r\n"])
        self.assertEqual(os.listdir(self.root), ["INBOX"])

    def test_a_note_that_was_cut_off_says_nothing(self):
        """The kill came before anything was written."""
        self.fill()
        (self.root / ".INBOX.mailtwist").write_text("1")
        self.fill(INBOX, Letter(b"two\r\n", frozenset(), 1))
        self.assertEqual(len(self.end.listed(INBOX).items), 2)

    def test_what_moved_within_the_file_is_found(self):
        one, two = self.fill(
            INBOX, Letter(ONE, frozenset(), 1), Letter(b"two\r\n", frozenset(), 2)
        )
        self.end.listed(INBOX)
        MboxEnd(str(self.root)).remove(INBOX, [one])
        self.assertEqual(self.end.read(INBOX, [one, two]), [None, b"two\r\n"])
