"""`mailtwist maildir make` beside Courier's: the same words make the same."""

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.courier import COURIER, SETTINGS
from tests.integration.daemon import ROOT

OURS = (sys.executable, "-m", "mailtwist.cli", "maildir", "make")
THEIRS = (COURIER / "usr/bin/maildirmake.courier",)


class SideBySideTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def made(self, command, root, calls):
        """(whether each call was done, all that is there then)."""
        root.mkdir()
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LD_LIBRARY_PATH": SETTINGS["LD_LIBRARY_PATH"],
        }
        done = []
        for words in calls:
            words = [word.replace("ROOT", str(root)) for word in words]
            ran = subprocess.run(
                [*command, *words], cwd=root, env=environment, capture_output=True
            )
            self.assertNotIn(b"Traceback", ran.stderr)
            done.append(ran.returncode == 0)
        return done, sorted(map(self.described, root.rglob("*")))

    @staticmethod
    def described(path):
        mode = path.stat().st_mode
        name = str(path).split("/ours/")[-1].split("/theirs/")[-1]
        text = path.read_text() if path.is_file() else ""
        return name, oct(mode), text.replace("/ours/", "/").replace("/theirs/", "/")

    def test_the_same_words_make_the_same(self):
        calls = [
            ["Maildir"],
            ["Maildir"],
            ["-f", "Sent", "Maildir"],
            ["-f", "Sent.2026", "Maildir"],
            ["-f", "Sent", "Maildir"],
            ["-f", ".Sent", "Maildir"],
            ["-f", "x", "nowhere"],
            ["no/Maildir"],
            ["-S", "shared"],
            ["-S", "-f", "all", "shared"],
            ["-s", "read", "-f", "read", "shared"],
            ["-s", "write", "-f", "write", "shared"],
            ["-s", "read,group", "-f", "group", "shared"],
            ["-s", "write,group", "-f", "more", "shared"],
            ["-s", "read", "shared"],
            ["--add", "one=ROOT/shared", "Maildir"],
            ["--add", "two=ROOT/shared", "Maildir"],
            ["--add", "three=shared", "Maildir"],
            ["--add", "four", "Maildir"],
            ["--add", "five=/nowhere", "Maildir"],
            ["--del", "one", "Maildir"],
            ["--del", "one", "Maildir"],
        ]
        ours = self.made(OURS, self.folder / "ours", calls)
        theirs = self.made(THEIRS, self.folder / "theirs", calls)
        for words, our, their in zip(calls, ours[0], theirs[0], strict=True):
            self.assertEqual(our, their, words)
        self.assertEqual(ours[1], theirs[1])
