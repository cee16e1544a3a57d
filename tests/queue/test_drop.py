import os
import stat
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import DeliverBy, Notify, Wishes
from mailtwist.errors import BadMessage, MailError
from mailtwist.queue.drop import (
    FOLDER_MODE,
    STALE_S,
    WHOLE,
    Dropped,
    make_folder,
    put,
    take,
    waiting,
)

ANN, BOB = Address("ann", "example.test"), Address("b b", "elsé.test")
OCTETS = b"Subject: x\r\n\r\nbody\r\n"
MOST = 1000
PLAIN = Dropped(ANN, (BOB,), uid=os.getuid())


class DropTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()) / "drop"
        make_folder(self.folder)

    def waiting(self, now_s=0.0):
        return list(waiting(self.folder, now_s))

    def bad(self, name):
        return self.assertRaises(BadMessage, take, self.folder, name, MOST).public

    def test_everybody_may_drop_and_nobody_may_look(self):
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), FOLDER_MODE)
        self.assertFalse(FOLDER_MODE & (stat.S_IROTH | stat.S_IRGRP) == stat.S_IROTH)

    def test_what_was_put_is_taken(self):
        for dropped in (
            PLAIN,
            Dropped(None, (ANN, BOB), uid=os.getuid()),
            Dropped(
                ANN,
                (BOB,),
                Wishes(
                    "8BITMIME", True, "HDRS", "é", True, DeliverBy(9.5, "R"), 7.0, -3
                ),
                Notify(frozenset({"DELAY", "FAILURE"}), "rfc822;x@y"),
                os.getuid(),
            ),
        ):
            name = put(self.folder, dropped, OCTETS)
            self.assertEqual(take(self.folder, name, MOST), (dropped, OCTETS))
            self.assertEqual(self.waiting(), [name])
            os.unlink(self.folder / name)

    def test_a_file_that_is_being_written_does_not_wait_yet(self):
        name = put(self.folder, PLAIN, OCTETS)
        path = self.folder / name
        path.chmod(0o200)
        self.assertEqual(self.waiting(path.stat().st_mtime + STALE_S - 1), [])
        self.assertTrue(path.exists())
        self.assertEqual(self.waiting(path.stat().st_mtime + STALE_S + 1), [])
        self.assertFalse(path.exists())

    def test_a_link_is_no_message(self):
        name = put(self.folder, PLAIN, OCTETS)
        (self.folder / "link").symlink_to(self.folder / name)
        self.assertIn("link", self.bad("link"))
        os.link(self.folder / name, self.folder / "second")
        self.assertIn("no file of its own", self.bad("second"))

    def test_a_device_is_no_message(self):
        os.mkfifo(self.folder / "fifo", 0o644)
        self.assertIn("no file of its own", self.bad("fifo"))

    def test_a_large_file_is_not_read(self):
        name = put(self.folder, PLAIN, b"x" * (MOST + 1))
        self.assertIn("too large", self.bad(name))

    def test_no_room_leaves_nothing(self):
        missing = self.folder / "missing"
        fault = self.assertRaises(MailError, put, missing, PLAIN, OCTETS)
        self.assertIn("No such file", fault.public)

    def write(self, octets):
        path = self.folder / "written"
        path.unlink(missing_ok=True)
        path.write_bytes(octets)
        path.chmod(WHOLE)

    def test_what_others_wrote_is_refused(self):
        name = put(self.folder, PLAIN, OCTETS)
        line = (self.folder / name).read_bytes().partition(b"\n")[0]
        for found, replaced in (
            (b'"7BIT"', b'"9BIT"'),
            (b'"7BIT"', b"[]"),
            (b'"priority": 0', b'"priority": 10'),
            (b'"priority": 0', b'"priority": "0"'),
            (b'"hold_until_s": 0.0', b'"hold_until_s": "x"'),
            (b'"smtputf8": false', b'"smtputf8": 1'),
            (b"ann@example.test", b"@"),
            (b'"when": null', b'"when": 3'),
            (b'"envid": ""', b'"envid": {}'),
            (b'"auth": null', b'"author": null'),
        ):
            self.assertIn(found, line)
            self.write(line.replace(found, replaced) + b"\n" + OCTETS)
            self.bad("written")

    @given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
    def test_any_octets_raise_only_our_fault(self, octets):
        self.write(octets)
        self.bad("written")
