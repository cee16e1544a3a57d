"""Tests for mailtwist.carry.opened and files: what lies in a folder, read apart."""

import os
import shutil
from pathlib import Path

from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.carry import opened
from mailtwist.carry.eml import EmlEnd
from mailtwist.carry.files import Apart
from mailtwist.carry.maildir import MaildirEnd
from mailtwist.carry.mbox import MboxEnd
from mailtwist.carry.model import Folder, Letter
from mailtwist.errors import MailError
from mailtwist.mailbox.model import INBOX

from .ends import now

ONE = b"Subject: one\r\n\r\nfirst\r\n"
MBOX = b"From ann Thu Jan  1 00:00:00 1970\nSubject: one\n\nfirst\n\n"


class World(SynchronousTestCase):
    def setUp(self):
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, self.root, True)


class OpenedTests(World):
    def put(self, name, octets=b""):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)

    def found(self, name=""):
        end = opened.source(opened.AUTO)(str(self.root / name).rstrip("/"))
        return type(end), os.path.relpath(end.path, self.root)

    def test_what_lies_there_is_found(self):
        for file, octets, asked, wanted in [
            ("a/cur/x", b"", "a", (MaildirEnd, "a")),
            ("b/Maildir/cur/x", b"", "b", (MaildirEnd, "b/Maildir")),
            ("c/mail/cur/x", b"", "c", (MaildirEnd, "c/mail")),
            ("d/e/x.eml", ONE, "d", (EmlEnd, "d")),
            ("f/Sent", MBOX, "f", (MboxEnd, "f")),
            ("g", MBOX, "g", (MboxEnd, "g")),
        ]:
            self.put(file, octets)
            self.assertEqual(self.found(asked), wanted)

    def test_what_nobody_knows_is_told(self):
        self.put("a/letter.doc", b"x")
        self.put("b/mdbox/storage/m.1", b"x")
        for name, why in [
            ("a", "say --format"),
            ("b", "over IMAP"),
            ("nowhere", "is not there"),
        ]:
            fault = self.assertRaises(MailError, self.found, name)
            self.assertIn(why, fault.public)

    def test_a_new_target_is_a_maildir_and_an_old_one_stays_what_it_is(self):
        self.put("old/Sent", MBOX)
        for name, wanted in [("new", MaildirEnd), ("old", MboxEnd)]:
            end = opened.target(opened.AUTO)(str(self.root / name))
            self.assertIs(type(end), wanted)


class ApartTests(World):
    """A child does the work."""

    def apart(self, choose=MaildirEnd):
        end = Apart(str(self.root / "mail"), choose, execute)
        self.addCleanup(end.end)
        return end

    def test_it_does_all_that_an_end_does(self):
        end = self.apart()
        now(end.make(Folder(INBOX)))
        (key,) = now(end.add(INBOX, [Letter(ONE, frozenset(), 1000)]))
        self.assertEqual([one.path for one in now(end.folders())], [INBOX])
        now(end.set_flags(INBOX, [(key, frozenset({"work"}))]))
        (item,) = now(end.listed(INBOX)).items
        self.assertEqual((item.key, item.flags), (key, {"work"}))
        self.assertEqual(now(end.read(INBOX, [key])), [ONE])
        now(end.remove(INBOX, [key]))
        self.assertEqual(now(end.listed(INBOX)).items, [])
        now(end.close())

    def test_its_faults_are_told(self):
        def broken(path):
            raise PermissionError(13, "Permission denied", "/secret")

        fault = self.assertRaises(MailError, now, self.apart(broken).folders())
        self.assertEqual(fault.public, "/secret: Permission denied")
        fault = self.assertRaises(MailError, now, self.apart().listed(("None",)))
        self.assertIn("no folder", fault.public)

    def test_its_end_is_told(self):
        def ends(path):
            os._exit(1)

        fault = self.assertRaises(MailError, now, self.apart(ends).folders())
        self.assertIn("ended", fault.public)
