"""Tests for mailtwist.service.handing and what workers find in their environment."""

import os

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.service.crew import environment
from mailtwist.service.handing import Handed, sealed, taken

TEXT = '[server]\nhostname = "é.test"\n'


class HandingTests(SynchronousTestCase):
    def test_a_worker_takes_what_was_handed_and_nobody_can_change_it(self):
        handed = Handed(TEXT, "/etc/x/m.toml", 1, False, 7, True)
        memory = sealed(handed)
        with self.assertRaises(PermissionError):
            os.pwrite(memory, b"x", 0)
        with self.assertRaises(PermissionError):
            os.ftruncate(memory, 0)
        found = taken(memory)
        self.assertEqual(found, handed)
        config = found.config()
        self.assertEqual(config.server.hostname, "é.test")
        with self.assertRaises(OSError):
            os.fstat(memory)

    def test_relative_paths_start_at_the_folder_of_the_file(self):
        text = '[server]\ndata = "d"\n'
        handed = Handed(text, "/etc/x/m.toml", 0, True, 0)
        self.assertEqual(handed.config().server.data, "/etc/x/d")

    def test_what_systemd_told_the_master_is_not_for_workers(self):
        ours = {"LISTEN_FDS": "2", "NOTIFY_SOCKET": "/s", "TZ": "UTC"}
        found = environment(ours | {"PYTHONPATH": "/a:/b"})
        self.assertEqual(found["TZ"], "UTC")
        self.assertNotIn("LISTEN_FDS", found)
        self.assertNotIn("NOTIFY_SOCKET", found)
        self.assertEqual(found["PYTHONPATH"].split(":")[1:], ["/a", "/b"])
