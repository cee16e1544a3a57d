"""`mailtwist maildir make`."""

import contextlib
import io
import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.cli.main import main
from mailtwist.store.maildir import folders


class MakeTests(SynchronousTestCase):
    def setUp(self):
        self.root = os.path.abspath(self.mktemp())
        os.mkdir(self.root)
        self.path = f"{self.root}/Maildir"

    def run_it(self, *words):
        """(status, what it said)"""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            status = main(["maildir", "make", *words])
        return status, said.getvalue()

    def done(self, *words):
        self.assertEqual(self.run_it(*words), (0, ""))

    def refused(self, *words):
        status, said = self.run_it(*words)
        self.assertNotEqual(status, 0, words)
        self.assertNotIn("Traceback", said)
        return said

    def modes(self, folder=""):
        path = os.path.join(self.path, folder)
        return [
            oct(stat.S_IMODE(os.stat(os.path.join(path, part)).st_mode))
            for part in (".", *folders.PARTS)
        ]

    def test_a_maildir_is_for_its_owner_alone(self):
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.done(self.path + "/")
        self.assertEqual(self.modes(), ["0o700"] * 4)
        self.assertEqual(sorted(os.listdir(self.root)), ["Maildir"])
        self.assertIn("is there already", self.refused(self.path))

    def test_folders(self):
        self.done(self.path)
        self.done("-f", "Sent.2026", self.path)
        self.done("-f", "Entwürfe", self.path)
        found = folders.listed(self.path)
        self.assertIn(("Sent", "2026"), found)
        self.assertIn(("Entwürfe",), found)
        self.assertIn("is there already", self.refused("-f", "Sent.2026", self.path))
        for name in ("", ".x", "x.", "a..b", "../x", "a/b", "a\n", "x" * 300):
            self.refused("-f", name, self.path)
        self.refused("-f", "x", self.root)

    def test_shared_folders(self):
        old = os.umask(0o077)
        self.addCleanup(os.umask, old)
        self.done("-S", self.path)
        self.assertEqual(self.modes(), ["0o755", *["0o700"] * 3])
        for mode, folder, part in (
            ("read", "0o755", "0o755"),
            ("write", "0o1755", "0o1777"),
            ("read,group", "0o750", "0o750"),
            ("write,group", "0o1750", "0o1770"),
        ):
            name = mode.replace(",", "-")
            self.done("-s", mode, "-f", name, self.path)
            self.assertEqual(self.modes(f".{name}"), [folder, *[part] * 3], mode)
        for mode in ("", "execute", "read,write"):
            self.refused("-s", mode, "-f", "x", self.path)
        self.assertIn("-f FOLDER", self.refused("-s", "read", self.path))

    def test_links(self):
        shared = f"{self.root}/shared"
        self.done(self.path)
        self.done("-S", shared)
        self.done("--add", f"news={shared}", self.path)
        self.done("--add", f"more={shared}", self.path)
        with open(f"{self.path}/shared-maildirs") as file:
            self.assertEqual(file.read(), f"news\t{shared}\nmore\t{shared}\n")
        self.done("--del", "news", self.path)
        with open(f"{self.path}/shared-maildirs") as file:
            self.assertEqual(file.read(), f"more\t{shared}\n")
        for word in ("more=" + shared, "x", "x=", "x=/nowhere", "a/b=" + shared):
            self.refused("--add", word, self.path)
        self.refused("--del", "news", self.path)
        self.refused("--del", "more", "-f", "x", self.path)

    def test_a_folder_that_is_not_there(self):
        self.assertIn("No such file", self.refused(f"{self.root}/no/Maildir"))
        self.assertIn("no Maildir", self.refused("-f", "x", f"{self.root}/no"))
        self.assertEqual(os.listdir(self.root), [])
